#!/usr/bin/env python3
"""Clients that send an HTTP request a byte at a time, in a process of their own.

    slow_clients.py PORT COUNT

Keeps COUNT connections to 127.0.0.1:PORT open, each of which sends one more byte of a header twice a second, at a time
of its own as foreign clients do; one that is cut off is followed by a new one. Prints "cut" when the first was; goes on
until its standard input ends.
"""

import select
import socket
import sys

EVERY_SECONDS = 0.5


def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    client.setblocking(False)
    return client


def is_cut(client):
    try:
        client.send(b"a")
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    clients = [connect(port) for _ in range(count)]
    told = False
    turn = 0
    while not select.select([sys.stdin], [], [], EVERY_SECONDS / count)[0]:
        if is_cut(clients[turn]):
            clients[turn].close()
            clients[turn] = connect(port)
            if not told:
                told = True
                print("cut", flush=True)
        turn = (turn + 1) % count


if __name__ == "__main__":
    main()
