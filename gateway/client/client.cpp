#include "gateway/client/client.hpp"

#include <future>
#include <stdexcept>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/throw_exception.hpp>

#include "gateway/client/client_core.hpp"
#include "gateway/client/client_terminal.hpp"

namespace berth::client {
namespace {

// Runs `act` on the client's thread if the client still lives.
template <class F>
void on_client(const std::weak_ptr<client_core>& to, F act) {
  if (const auto core = to.lock())
    boost::asio::post(core->io(), [to, act = std::move(act)]() mutable {
      if (const auto still = to.lock()) act(*still);
    });
}

class open_terminal_handle : public terminal {
 public:
  open_terminal_handle(std::shared_ptr<client_core> core, std::shared_ptr<terminal_state> state)
      : core_{core}, state_{std::move(state)} {
    on_client(core_,
              [state = state_](client_core& client) { state->number_is(client.add(state)); });
  }
  ~open_terminal_handle() override {
    on_client(core_, [state = state_](client_core& client) { client.remove(state->number()); });
  }
  bool input(std::string_view bytes) override {
    if (!state_->reserve_input(bytes.size())) return false;
    on_client(core_, [state = state_, typed = std::string(bytes)](client_core&) mutable {
      state->input(std::move(typed));
    });
    return true;
  }
  void consumed(std::uint64_t upto) override {
    state_->consumed(upto);
    on_client(core_, [state = state_](client_core&) { state->output_consumed(); });
  }
  void resize(std::uint16_t cols, std::uint16_t rows) override {
    on_client(core_, [state = state_, cols, rows](client_core&) { state->resize(cols, rows); });
  }
  void take_drive() override {
    on_client(core_, [state = state_](client_core&) { state->say(wire::take_drive{}); });
  }
  std::uint64_t cursor() const override { return state_->cursor(); }

 private:
  std::weak_ptr<client_core> core_;
  std::shared_ptr<terminal_state> state_;
};

// Environments and the feed: JSON texts with a cursor to resume at.
class text_channel : public client_channel {
 public:
  text_channel(wire::open asked, notice_listener listener)
      : asked_{std::move(asked)}, listener_{std::move(listener)} {}
  std::vector<wire::payload> resume(bool) override { return {asked_}; }
  void abandoned(const client_error& why) override { listener_(why); }
  bool received(wire::payload what) override {
    if (const auto* state = std::get_if<wire::environment_state>(&what)) {
      asked_.from = state->version;
      listener_(notice{std::to_string(state->version), state->body});
    } else if (const auto* event = std::get_if<wire::feed_event>(&what)) {
      asked_.after = event->after;
      listener_(notice{event->after, event->body});
    } else if (const auto* opened = std::get_if<wire::opened>(&what)) {
      if (asked_.target == wire::target::feed) asked_.after = opened->after;
    } else if (const auto* why = std::get_if<wire::closed>(&what)) {
      listener_(client_error{why->code, why->message, {why->details.begin(), why->details.end()}});
      return true;
    }
    return false;
  }
  std::uint32_t number{};

 private:
  wire::open asked_;
  notice_listener listener_;
};

class open_subscription : public subscription {
 public:
  open_subscription(std::shared_ptr<client_core> core, wire::open asked, notice_listener listener)
      : core_{core},
        channel_{std::make_shared<text_channel>(std::move(asked), std::move(listener))} {
    on_client(core_,
              [channel = channel_](client_core& client) { channel->number = client.add(channel); });
  }
  ~open_subscription() override {
    on_client(core_, [channel = channel_](client_core& client) { client.remove(channel->number); });
  }

 private:
  std::weak_ptr<client_core> core_;
  std::shared_ptr<text_channel> channel_;
};

class running_client : public client {
 public:
  running_client(client_options options, state_listener changed)
      : core_{std::make_shared<client_core>(io_, std::move(options), std::move(changed))} {
    boost::asio::post(io_, [core = core_] { core->begin(); });
    thread_ = std::thread([this] { io_.run(); });
  }
  ~running_client() override {
    boost::asio::post(io_, [core = core_] { core->stop(); });
    thread_.join();
    core_.reset();
  }
  client_result<std::string> wait_ready(std::chrono::milliseconds at_most) override {
    return core_->wait_ready(at_most);
  }
  std::string session() const override { return core_->session(); }

  std::unique_ptr<terminal> open_terminal(terminal_options options,
                                          std::shared_ptr<terminal_listener> listener) override {
    auto state = std::make_shared<terminal_state>(core_, std::move(options), std::move(listener));
    return std::make_unique<open_terminal_handle>(core_, std::move(state));
  }
  std::unique_ptr<subscription> watch_environment(std::string id,
                                                  notice_listener listener) override {
    wire::open asked;
    asked.target = wire::target::environment;
    asked.id = std::move(id);
    return std::make_unique<open_subscription>(core_, std::move(asked), std::move(listener));
  }
  std::unique_ptr<subscription> follow_feed(std::string after, notice_listener listener) override {
    wire::open asked;
    asked.target = wire::target::feed;
    asked.after = std::move(after);
    return std::make_unique<open_subscription>(core_, std::move(asked), std::move(listener));
  }

  void request(std::string method, std::string path, std::map<std::string, std::string> headers,
               std::string body, answer_listener done) override {
    wire::request asked;
    asked.method = std::move(method);
    asked.path = std::move(path);
    asked.headers = std::move(headers);
    boost::asio::post(io_, [core = core_, asked = std::move(asked), body = std::move(body),
                            done = std::move(done)]() mutable {
      core->request(std::move(asked), std::move(body), std::move(done));
    });
  }
  client_result<http_answer> request_wait(std::string method, std::string path,
                                          std::map<std::string, std::string> headers,
                                          std::string body,
                                          std::chrono::milliseconds at_most) override {
    auto promise = std::make_shared<std::promise<client_result<http_answer>>>();
    auto answer = promise->get_future();
    request(
        std::move(method), std::move(path), std::move(headers), std::move(body),
        [promise](client_result<http_answer> result) { promise->set_value(std::move(result)); });
    if (answer.wait_for(at_most) == std::future_status::ready) return answer.get();
    return client_error{
        "timeout", "no answer within " + std::to_string(at_most.count()) + " ms", {}};
  }

 private:
  boost::asio::io_context io_{1};
  std::shared_ptr<client_core> core_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<client> client::start(client_options options, state_listener changed) {
  return std::make_unique<running_client>(std::move(options), std::move(changed));
}

void throw_exception_from_error(const client_error& error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(error.code + ": " + error.message), where);
}

}  // namespace berth::client
