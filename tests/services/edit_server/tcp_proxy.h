// Forwards one connection to a port of this machine until the test cuts the wire. For clients that vanish.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace ip2p::edit_server {

class TcpProxy {
 public:
  explicit TcpProxy(int target_port) : target_port_(target_port) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Loopback(0);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(listener_, 1);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    stop_ = eventfd(0, 0);
    thread_ = std::thread([this] { Forward(); });
  }
  ~TcpProxy() {
    Cut();
    close(stop_);
  }
  int port() const { return port_; }

  // Closes both ends at once, and listens no more.
  void Cut() {
    if (!thread_.joinable()) return;
    eventfd_write(stop_, 1);
    thread_.join();
  }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void Forward() {
    pollfd waits[3] = {{stop_, POLLIN, 0}, {listener_, POLLIN, 0}, {-1, POLLIN, 0}};
    int client = -1, server = -1;
    while (poll(waits, 3, -1) > 0 && waits[0].revents == 0) {
      if (client < 0) {
        client = accept(listener_, nullptr, nullptr);
        server = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address = Loopback(target_port_);
        if (connect(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) break;
        waits[1].fd = client;
        waits[2].fd = server;
        continue;
      }
      if (waits[1].revents != 0 && !Move(client, server)) break;
      if (waits[2].revents != 0 && !Move(server, client)) break;
    }
    for (const int fd : {client, server, listener_}) {
      if (fd >= 0) close(fd);
    }
  }

  static bool Move(int from, int to) {
    char buffer[65536];
    const ssize_t got = recv(from, buffer, sizeof(buffer), 0);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t more = send(to, buffer + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (more <= 0) return false;
      sent += more;
    }
    return got > 0;
  }

  const int target_port_;
  int listener_ = -1;
  int port_ = 0;
  int stop_ = -1;
  std::thread thread_;
};

}  // namespace ip2p::edit_server
