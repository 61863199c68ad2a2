// A TCP server that answers each connection with given bytes, right or wrong as HTTP. A thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ip2p {

class ScriptedServer {
 public:
  // Gets a connection's socket after one request was read, and the request; closes it by returning.
  using Serve = std::function<void(int socket, const std::string& request)>;

  explicit ScriptedServer(Serve serve)
      : serve_(std::move(serve)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0)
      std::abort();
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~ScriptedServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    for (std::thread& thread : connections_) thread.join();
  }

  // Answers every connection with the same bytes.
  static Serve Bytes(std::string answer) {
    return [answer = std::move(answer)](int socket, const std::string&) { Write(socket, answer); };
  }
  // False when the other side is gone.
  static bool Write(int socket, const std::string& text) {
    return send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Returns when the other side has closed.
  static void AwaitClose(int socket) {
    char byte = 0;
    while (recv(socket, &byte, 1, 0) > 0) {
    }
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/x"; }
  int accepted() const { return accepted_; }

 private:
  static bool IsWhole(const std::string& request) {
    const size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const size_t length = request.find("Content-Length: ");
    const size_t body = length < head ? std::stoul(request.substr(length + sizeof("Content-Length:"))) : 0;
    return request.size() >= head + 4 + body;
  }

  void Run() {
    while (true) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      ++accepted_;
      connections_.emplace_back([this, client] {
        std::string request;
        char buffer[4096];
        while (!IsWhole(request)) {
          const ssize_t got = recv(client, buffer, sizeof(buffer), 0);
          if (got <= 0) break;
          request.append(buffer, static_cast<size_t>(got));
        }
        serve_(client, request);
        close(client);
      });
    }
  }

  const Serve serve_;
  const int listener_;
  int port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::vector<std::thread> connections_;  // touched by thread_, then by the destructor
  std::thread thread_;
};

}  // namespace ip2p
