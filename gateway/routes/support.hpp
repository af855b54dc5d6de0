// What most routes share: command metadata from headers, ids and names to things, answers with
// version and position.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "actors/kernel.hpp"
#include "gateway/fields.hpp"
#include "gateway/http_message.hpp"
#include "gateway/problem.hpp"
#include "gateway/render/position_text.hpp"
#include "gateway/router.hpp"
#include "gateway/services.hpp"

namespace berth::gateway {

inline constexpr std::uint64_t page_limit_max = 100;
inline constexpr std::uint64_t page_limit_default = 100;
inline constexpr std::uint64_t wait_ms_max = 600'000;
inline constexpr std::uint64_t wait_ms_default = 60'000;
inline constexpr std::chrono::milliseconds projected_wait_max{2'000};  // Berth-After: then 503
inline constexpr std::chrono::milliseconds projected_wait_soft{
    250};  // without it: then the views as they are
inline constexpr std::size_t cursor_bytes_max = 512;
inline constexpr std::size_t idempotency_key_bytes_max = 255;

// Command id from Idempotency-Key (a UUID as it is; other text is hashed; absent: a fresh version
// 7), correlation from the request id, If-Match. invalid_argument names the header.
outcome<command_meta> meta_of(const api& with, const request& asked);

// `<prefix>_` and 26 characters: what cannot be an id is not looked up.
bool is_id(std::string_view text, std::string_view prefix);

// Resolves {environment}, an id or a name of the asker's account, and goes on; else answers
// not_found. An id is not looked up here: the kernel checks existence and tenancy (K5) when it is
// used.
void with_environment(const api& with, const request& asked, const respond& done,
                      std::function<void(environment_id)> go_on);
// The same for {terminal} and {session}, ids only.
bool id_or_refuse(const request& asked, const char* parameter, std::string_view prefix,
                  const respond& done);

response json_response(int status, boost::json::object body);
void refuse(const request& asked, const respond& done, const rejection& why);

// The body's fields, or nothing after having answered the error.
std::optional<body_fields> fields_or_refuse(const request& asked, const respond& done);

// ETag, Berth-Position, Idempotency-Replayed.
template <class A>
void stamp(response& given, const answer<A>& from);

// Runs `go_on` when the views have folded what the asker has seen: up to Berth-After, a position or
// a cursor (else 503 after projected_wait_max), or to the present heads (softly).
void when_views_ready(const api& with, const request& asked, const respond& done,
                      std::function<void()> go_on);

// Calls `done` once with the first durable state whose status is in `wanted`, or with the state at
// the deadline.
void wait_for_status(const api& with, const environment_id& id, const principal& by,
                     std::set<environment::status> wanted, std::chrono::milliseconds within,
                     std::function<void(outcome<answer<environment::aggregate>>)> done);

template <class A>
void stamp(response& given, const answer<A>& from) {
  given.headers["ETag"] = '"' + std::to_string(from.version.value) + '"';
  if (from.at.offset > 0) given.headers["Berth-Position"] = position_text(from.at);
  if (from.replayed) given.headers["Idempotency-Replayed"] = "true";
}

}  // namespace berth::gateway
