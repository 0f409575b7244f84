// A system bus with nothing but a systemd on it, on a thread of its own.
#pragma once

#include <systemd/sd-bus.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

namespace trimtab::test {

namespace asio = boost::asio;

class FakeSystemd {
 public:
  explicit FakeSystemd(std::string socket);
  ~FakeSystemd();

  // A unit's ActiveState from now on, told of by a signal.
  void set_active(const std::string& unit, const std::string& active);
  // From now on calls of the method are not answered.
  void keep_silent(const std::string& method);
  // Ends all connections, and then answers again.
  void restart();
  // Ends all connections and accepts no more; nothing else may be called afterwards.
  void shut_down();
  // Returns once the method has been called.
  void wait_for_call(const std::string& method);
  // How often the method has been called.
  int calls(const std::string& method);

 private:
  struct Client {
    sd_bus* bus = nullptr;
    asio::posix::stream_descriptor descriptor;
    FakeSystemd* systemd;
  };

  void accept();
  void serve(const std::shared_ptr<Client>& client);
  static int answer(sd_bus_message* call, void* client, sd_bus_error* error);
  int answer(sd_bus_message* call);
  int tell_properties(sd_bus_message* call);
  void end(Client& client);
  void end_all();
  void on_thread(std::function<void()> work);

  asio::io_context loop_;
  asio::local::stream_protocol::acceptor acceptor_;
  std::list<std::shared_ptr<Client>> clients_;
  std::map<std::string, std::string> active_;  // by the object's path
  std::set<std::string> silent_;
  std::map<std::string, int> calls_;
  std::thread thread_;
};

}  // namespace trimtab::test
