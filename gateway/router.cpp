#include "gateway/router.hpp"

#include <atomic>
#include <exception>

#include <spdlog/spdlog.h>

#include "events/core/invariant.hpp"
#include "gateway/auth/authenticator.hpp"
#include "gateway/problem.hpp"
#include "gateway/route_metrics.hpp"
#include "gateway/services.hpp"

namespace berth::gateway {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const auto end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{');
}

// A literal segment beats a parameter: /environments/{environment}/wait never reads as a terminal's
// id.
bool matches(std::string_view pattern, const std::vector<std::string_view>& path,
             std::map<std::string, std::string>& parameters) {
  const auto wanted = segments_of(pattern);
  if (wanted.size() != path.size()) return false;
  parameters.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (is_parameter(wanted[i])) {
      if (path[i].empty()) return false;
      parameters[std::string(wanted[i].substr(1, wanted[i].size() - 2))] = path[i];
    } else if (wanted[i] != path[i]) {
      return false;
    }
  }
  return true;
}

// Answers once whatever the route does: a route that lost its callback is answered 500 when the
// last copy dies.
class answer_once {
 public:
  answer_once(respond done, std::string request_id, std::function<void(int)> observe)
      : done_(std::move(done)), request_id_(std::move(request_id)), observe_(std::move(observe)) {}
  answer_once(const answer_once&) = delete;
  ~answer_once() {
    if (!answered_.exchange(true))
      send(problem_response(
          kind_named("internal"),
          "the request was dropped inside the server; retry it with the same Idempotency-Key",
          request_id_));
  }
  void answer(response given) {
    if (answered_.exchange(true)) {
      spdlog::error("request {} was answered twice", request_id_);
      return;
    }
    send(std::move(given));
  }

 private:
  void send(response given) {
    given.headers["X-Request-Id"] = request_id_;
    observe_(given.status);
    done_(std::move(given));
  }
  respond done_;
  std::string request_id_;
  std::function<void(int)> observe_;
  std::atomic<bool> answered_{};
};

using once = std::shared_ptr<answer_once>;

void run_guarded(const api& with, const route& target, request asked, const once& answer) {
  const auto id = asked.request_id;
  try {
    target.run(with, std::move(asked),
               [answer](response given) { answer->answer(std::move(given)); });
  } catch (const std::exception& thrown) {
    spdlog::error("request {} ended by an exception: {}", id, thrown.what());
    answer->answer(
        problem_response(kind_named("internal"), "the server failed on this request", id));
  }
}

void authenticate_and_run(const api& with, const route& target, request asked, const once& answer) {
  const auto refuse = [answer, id = asked.request_id](const rejection& why) {
    answer->answer(problem_response(why, id));
  };
  auto credential = authenticator::credential_of(asked);
  if (!credential) return refuse(credential.error());
  auto shared = std::make_shared<request>(std::move(asked));
  with.auth.authenticate(
      *credential, [&with, &target, shared, answer, refuse](outcome<identity> who) {
        if (!who) return refuse(who.error());
        shared->by = who->by;
        shared->is_admin = who->is_admin;
        if (target.needs == access::admin && !who->is_admin)
          return refuse(reject(rejection_code::forbidden, "this needs an administrator's token"));
        run_guarded(with, target, std::move(*shared), answer);
      });
}

}  // namespace

router::router(const services& given, const authenticator& auth, run_after timers, bool secure)
    : timers_(std::move(timers)),
      api_{given, auth, *this, timers_, secure},
      metrics_(std::make_shared<route_metrics>()) {
  for (const auto& known : route_table()) {
    BERTH_ASSERT(known.path.starts_with('/'));
    by_segments_[segments_of(known.path).size()].push_back(&known);
  }
}

router::found router::find(std::string_view method, std::string_view path) const {
  found result;
  if (!path.starts_with('/')) return result;
  if (method == "HEAD") method = "GET";
  const auto parts = segments_of(path);
  const auto bucket = by_segments_.find(parts.size());
  if (bucket == by_segments_.end()) return result;
  std::map<std::string, std::string> parameters;
  std::size_t fewest_parameters = ~std::size_t{0};
  for (const auto* candidate : bucket->second) {
    if (!matches(candidate->path, parts, parameters)) continue;
    if (parameters.size() <
        fewest_parameters) {  // The more literal path wins, its methods alone are allowed.
      fewest_parameters = parameters.size();
      result = {};
    }
    if (parameters.size() > fewest_parameters) continue;
    result.allow += (result.allow.empty() ? "" : ", ") + std::string(candidate->method);
    if (candidate->method == "GET") result.allow += ", HEAD";
    if (candidate->method == method) {
      result.target = candidate;
      result.parameters = parameters;
    }
  }
  return result;
}

void router::dispatch(request asked, respond done) const {
  auto place = find(asked.method, asked.path);
  const auto* target = place.target;
  const auto answer = std::make_shared<answer_once>(
      std::move(done), asked.request_id,
      [kept = metrics_, target, began = std::chrono::steady_clock::now()](int status) {
        kept->count(target ? target->method : "", target ? target->path : "unknown", status,
                    std::chrono::steady_clock::now() - began);
      });
  if (!target) {
    if (place.allow.empty())
      return answer->answer(problem_response(kind_named("not_found"),
                                             "no such path; see /openapi.yaml", asked.request_id));
    auto refused = problem_response(kind_named("method_not_allowed"),
                                    "this path takes " + place.allow, asked.request_id);
    refused.headers["Allow"] = place.allow;
    return answer->answer(std::move(refused));
  }
  asked.parameters = std::move(place.parameters);
  if (target->needs == access::open ||
      (asked.by && (target->needs == access::user || asked.is_admin)))
    return run_guarded(api_, *target, std::move(asked), answer);
  if (asked.by)
    return answer->answer(
        problem_response(reject(rejection_code::forbidden, "this needs an administrator's token"),
                         asked.request_id));
  try {
    authenticate_and_run(api_, *target, std::move(asked), answer);
  } catch (const std::exception& thrown) {
    spdlog::error("authentication ended by an exception: {}", thrown.what());
  }
}

std::string router::metrics() const {
  return metrics_->text();
}

}  // namespace berth::gateway
