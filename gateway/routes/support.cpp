#include "gateway/routes/support.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include <boost/json.hpp>

#include "gateway/ws/random_ids.hpp"

namespace berth::gateway {
namespace {

const std::string* header(const request& asked, const char* name) {
  const auto at = asked.headers.find(name);
  return at == asked.headers.end() ? nullptr : &at->second;
}

bool is_idempotency_key(std::string_view key) {
  return !key.empty() && key.size() <= idempotency_key_bytes_max &&
         std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// "12", W/"12" and 12 are versions; * asks for nothing more than existence.
std::optional<std::uint64_t> version_of(std::string_view text) {
  if (text.starts_with("W/")) text.remove_prefix(2);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  return parse_decimal(text);
}

// Ends once: by a wanted state, an error or the deadline, whichever thread is first. Lives by its
// timer.
class status_wait : public std::enable_shared_from_this<status_wait> {
 public:
  using completion = std::function<void(outcome<answer<environment::aggregate>>)>;
  status_wait(const api& with, std::set<environment::status> wanted, completion done)
      : with_(with), wanted_(std::move(wanted)), done_(std::move(done)) {}

  void begin(const environment_id& id, const principal& by, std::chrono::milliseconds within) {
    auto self = shared_from_this();
    auto watching = with_.given.kernel.watch(id, by, [weak = weak_from_this()](auto seen) {
      if (const auto self = weak.lock()) self->seen(std::move(seen));
    });
    auto timer = with_.timers(within, [self] { self->expire(); });
    const std::scoped_lock held(mutex_);
    if (ended_) return release(std::move(watching), std::move(timer));
    watching_ = std::move(watching);
    timer_ = std::move(timer);
  }

 private:
  void seen(outcome<answer<environment::aggregate>> now) {
    std::unique_lock held(mutex_);
    if (ended_) return;
    last_ = now;
    if (now && !wanted_.contains(now->state->status)) return;
    finish(std::move(held));
  }
  void expire() {
    std::unique_lock held(mutex_);
    if (ended_) return;
    if (!last_)
      last_ = reject(rejection_code::overloaded, "the state could not be read in time; try again");
    finish(std::move(held));
  }
  void finish(std::unique_lock<std::mutex> held) {
    ended_ = true;
    release(std::move(watching_), std::move(timer_));
    const auto done = std::move(done_);
    const auto last = *last_;
    held.unlock();
    done(last);
  }
  // A handle must not be destroyed inside its own callback.
  void release(std::shared_ptr<void> watching, std::shared_ptr<void> timer) {
    with_.timers(std::chrono::milliseconds{0},
                 [watching = std::move(watching), timer = std::move(timer)] {});
  }

  const api& with_;
  std::set<environment::status> wanted_;
  completion done_;
  std::mutex mutex_;
  bool ended_{};
  std::optional<outcome<answer<environment::aggregate>>> last_;
  std::shared_ptr<void> watching_;
  std::shared_ptr<void> timer_;
};

}  // namespace

outcome<command_meta> meta_of(const api& with, const request& asked) {
  command_meta meta;
  meta.by = *asked.by;
  if (const auto id = uuid::parse(asked.request_id)) meta.correlation = *id;
  if (const auto* key = header(asked, "idempotency-key")) {
    if (!is_idempotency_key(*key))
      return reject(
          rejection_code::invalid_argument,
          "Idempotency-Key must have 1 to 255 printable ASCII characters; a UUIDv7 is best",
          "Idempotency-Key");
    const auto id = uuid::parse(*key);
    meta.id =
        id && !id->is_nil() ? *id : uuid::derived("idempotency-key", asked.by->account.value, *key);
  } else {
    meta.id = fresh_uuid(with.given);
  }
  if (const auto* match = header(asked, "if-match"); match && *match != "*") {
    const auto version = version_of(*match);
    if (!version)
      return reject(rejection_code::invalid_argument,
                    "If-Match must be a version as an ETag gave it", "If-Match");
    meta.if_match = stream_version{*version};
  }
  return meta;
}

bool is_id(std::string_view text, std::string_view prefix) {
  constexpr std::size_t id_characters = 26;
  constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  return text.size() == prefix.size() + 1 + id_characters && text.starts_with(prefix) &&
         text[prefix.size()] == '_' &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(prefix.size()) + 1, text.end(),
                     [&](char c) { return alphabet.find(c) != std::string_view::npos; });
}

void with_environment(const api& with, const request& asked, const respond& done,
                      std::function<void(environment_id)> go_on) {
  const auto& named = asked.parameters.at("environment");
  if (is_id(named, "env")) return go_on({named});
  const auto missing = [done, id = asked.request_id] {
    done(problem_response(reject(rejection_code::not_found, "no such environment", "environment"),
                          id));
  };
  if (named.size() > account::name_bytes_max) return missing();
  with.given.kernel.read(
      asked.by->account, *asked.by,
      [named, missing, done, id = asked.request_id, go_on = std::move(go_on)](auto read) {
        if (!read) return done(problem_response(read.error(), id));
        for (const auto& [environment, entry] : read->state->environments)
          if (entry.name == named) return go_on(environment);
        missing();
      });
}

bool id_or_refuse(const request& asked, const char* parameter, std::string_view prefix,
                  const respond& done) {
  if (is_id(asked.parameters.at(parameter), prefix)) return true;
  refuse(asked, done,
         reject(rejection_code::not_found, std::string("no such ") + parameter, parameter));
  return false;
}

response json_response(int status, boost::json::object body) {
  response given;
  given.status = status;
  given.body = boost::json::serialize(body);
  return given;
}

void refuse(const request& asked, const respond& done, const rejection& why) {
  done(problem_response(why, asked.request_id));
}

std::optional<body_fields> fields_or_refuse(const request& asked, const respond& done) {
  auto fields = body_fields::of(asked);
  if (fields) return std::move(*fields);
  done(problem_response(kind_named(fields.error().code), fields.error().message, asked.request_id));
  return {};
}

void when_views_ready(const api& with, const request& asked, const respond& done,
                      std::function<void()> go_on) {
  const auto* after = header(asked, "berth-after");
  if (!after) {
    return with.given.when_projected(heads_of(with.given.journal), projected_wait_soft,
                                     [go_on = std::move(go_on)](bool) { go_on(); });
  }
  const bool has_tag = after->find(cursor_tag_end) != std::string::npos;  // a position has none
  const auto at = parse_cursor(*after, has_tag ? with.given.journal.cursor_tag() : std::string{});
  // In a cluster this node may be behind the one that gave it.
  const bool may_be_ahead = static_cast<bool>(with.given.cluster);
  if (!at || (!may_be_ahead && !heads_of(with.given.journal).reaches(*at)))
    return refuse(
        asked, done,
        reject(rejection_code::invalid_argument,
               "Berth-After is no Berth-Position this server gave; leave it out", "Berth-After"));
  with.given.when_projected(
      *at, projected_wait_max, [done, id = asked.request_id, go_on = std::move(go_on)](bool ready) {
        if (ready) return go_on();
        done(problem_response(reject(rejection_code::unavailable,
                                     "the views have not reached Berth-After yet; try again"),
                              id));
      });
}

void wait_for_status(const api& with, const environment_id& id, const principal& by,
                     std::set<environment::status> wanted, std::chrono::milliseconds within,
                     std::function<void(outcome<answer<environment::aggregate>>)> done) {
  std::make_shared<status_wait>(with, std::move(wanted), std::move(done))->begin(id, by, within);
}

}  // namespace berth::gateway
