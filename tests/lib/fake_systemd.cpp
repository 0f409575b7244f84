#include "tests/lib/fake_systemd.hpp"

#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <cstdlib>
#include <future>
#include <stdexcept>

namespace trimtab::test {
namespace {

constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";

constexpr sd_id128_t bus_id = {.qwords = {1, 2}};

std::string path_of(const std::string& unit) {
  char* path = nullptr;
  sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path);
  std::string text(path);
  std::free(path);
  return text;
}

// As the bus does it: with the sender's name.
int send(sd_bus_message* message) {
  sd_bus_message_set_sender(message, ":1.0");
  const int sent = sd_bus_send(nullptr, message, nullptr);
  sd_bus_message_unref(message);
  return sent < 0 ? sent : 1;
}

}  // namespace

FakeSystemd::FakeSystemd(std::string socket) : acceptor_(loop_, {socket}) {
  accept();
  thread_ = std::thread([this] { loop_.run(); });
}

FakeSystemd::~FakeSystemd() {
  // The thread ends when it has nothing left to wait for.
  asio::post(loop_, [this] { end_all(); });
  thread_.join();
}

void FakeSystemd::end_all() {
  while (!clients_.empty()) end(*clients_.front());
  acceptor_.close();
}

void FakeSystemd::on_thread(std::function<void()> work) {
  std::promise<void> done;
  asio::post(loop_, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void FakeSystemd::accept() {
  acceptor_.async_accept([this](boost::system::error_code ec, auto socket) {
    if (ec) return;
    const int descriptor = socket.release();
    auto client = std::make_shared<Client>(
        Client{nullptr, asio::posix::stream_descriptor(loop_, descriptor), this});
    clients_.push_back(client);
    sd_bus_new(&client->bus);
    // The bus and Asio each close their own.
    const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    sd_bus_set_fd(client->bus, own, own);
    sd_bus_set_server(client->bus, 1, bus_id);
    sd_bus_set_trusted(client->bus, 1);
    sd_bus_add_filter(client->bus, nullptr, &FakeSystemd::answer, client.get());
    if (sd_bus_start(client->bus) < 0) throw std::runtime_error("sd_bus_start");
    serve(client);
    accept();
  });
}

void FakeSystemd::serve(const std::shared_ptr<Client>& client) {
  // A message may have arrived in the same turn of the loop in which the connection was ended.
  if (client->bus == nullptr) return;
  int served = 1;
  while (served > 0) served = sd_bus_process(client->bus, nullptr);
  if (served < 0) return end(*client);
  client->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                [this, client](boost::system::error_code ec) {
                                  if (!ec) serve(client);
                                });
}

void FakeSystemd::end(Client& client) {
  client.bus = sd_bus_close_unref(client.bus);
  client.descriptor.close();
  clients_.remove_if([&](const auto& other) { return other.get() == &client; });
}

int FakeSystemd::answer(sd_bus_message* call, void* client, sd_bus_error*) {
  return static_cast<Client*>(client)->systemd->answer(call);
}

int FakeSystemd::answer(sd_bus_message* call) {
  const char* member = sd_bus_message_get_member(call);
  if (member == nullptr) return 0;
  const std::string method = member;
  ++calls_[method];
  if (silent_.contains(method)) return 1;
  if (method == "GetAll") return tell_properties(call);
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(call, &reply);
  if (method == "Hello") {
    sd_bus_message_append(reply, "s", ":1.7");
  } else if (method == "LoadUnit") {
    const char* unit = nullptr;
    sd_bus_message_read(call, "s", &unit);
    sd_bus_message_append(reply, "o", path_of(unit).c_str());
  } else if (method == "StartUnit") {
    sd_bus_message_append(reply, "o", "/org/freedesktop/systemd1/job/7");
  } else if (method == "EnableUnitFiles") {
    sd_bus_message_append(reply, "ba(sss)", 1, 1, "symlink", "/a", "/b");
  } else if (method == "DisableUnitFiles") {
    sd_bus_message_unref(reply);
    return sd_bus_reply_method_errorf(call, "org.freedesktop.systemd1.NoSuchUnit", "there is none");
  }
  return send(reply);
}

int FakeSystemd::tell_properties(sd_bus_message* call) {
  const auto active = active_.find(sd_bus_message_get_path(call));
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(call, &reply);
  sd_bus_message_append(
      reply, "a{sv}", 4,  //
      "LoadState", "s", active == active_.end() ? "not-found" : "loaded", "ActiveState", "s",
      active == active_.end() ? "inactive" : active->second.c_str(), "ActiveEnterTimestamp", "t",
      std::uint64_t{1'700'000'000'000'000}, "Job", "(uo)", 7U, "/org/freedesktop/systemd1/job/7");
  return send(reply);
}

void FakeSystemd::set_active(const std::string& unit, const std::string& active) {
  on_thread([&] {
    active_[path_of(unit)] = active;
    for (const auto& client : clients_) {
      sd_bus_message* signal = nullptr;
      sd_bus_message_new_signal(client->bus, &signal, path_of(unit).c_str(),
                                "org.freedesktop.DBus.Properties", "PropertiesChanged");
      sd_bus_message_append(signal, "sa{sv}as", unit_interface, 1, "ActiveState", "s",
                            active.c_str(), 0);
      send(signal);
    }
  });
}

void FakeSystemd::keep_silent(const std::string& method) {
  on_thread([&] { silent_.insert(method); });
}

void FakeSystemd::restart() {
  on_thread([this] {
    silent_.clear();
    while (!clients_.empty()) end(*clients_.front());
  });
}

void FakeSystemd::shut_down() {
  on_thread([this] { end_all(); });
}

void FakeSystemd::wait_for_call(const std::string& method) {
  while (calls(method) == 0) std::this_thread::yield();
}

int FakeSystemd::calls(const std::string& method) {
  int calls = 0;
  on_thread([&] { calls = calls_[method]; });
  return calls;
}

}  // namespace trimtab::test
