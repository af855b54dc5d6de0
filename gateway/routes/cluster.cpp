// GET /api/v1/cluster and POST /api/v1/cluster/nodes/{ordinal}/cordon|uncordon|drain
// [administrators]: the nodes that share the journal, and what is placed on them.
#include <atomic>

#include <fmt/format.h>

#include "events/core/partition.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

using node = cluster_services::node;

boost::json::object json_of(const node& of) {
  return {{"ordinal", of.ordinal},           {"host", of.host.value},
          {"address", of.address},           {"here", of.here},
          {"linked", of.is_linked},          {"leads", of.leads},
          {"environments", of.environments}, {"takes_environments", of.takes_environments},
          {"cordoned", of.is_cordoned}};
}

bool cluster_or_refuse(const api& with, const request& asked, const respond& done) {
  if (with.given.cluster) return true;
  refuse(asked, done,
         reject(rejection_code::wrong_state,
                "this server is alone; a [cluster] table in its configuration makes it a node"));
  return false;
}

std::optional<node> node_or_refuse(const api& with, const request& asked, const respond& done) {
  if (!cluster_or_refuse(with, asked, done)) return std::nullopt;
  const auto ordinal = parse_decimal(asked.parameters.at("ordinal"));
  for (const auto& each : with.given.cluster.nodes())
    if (ordinal == each.ordinal) return each;
  refuse(asked, done,
         reject(rejection_code::not_found, "no such node is there; see GET /api/v1/cluster",
                "ordinal"));
  return std::nullopt;
}

// A host's stream belongs to no account: an administrator asks in Berth's name, and is in the log.
command_meta by_administrator(command_meta meta) {
  meta.by = {{}, meta.by.actor, true};
  return meta;
}

template <class Command>
void ask_host(const api& with, const request& asked, const respond& done,
              std::function<void(const node&, const command_meta&)> then) {
  const auto of = node_or_refuse(with, asked, done);
  if (!of) return;
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  with.given.kernel.ask(of->host, Command{}, by_administrator(*meta),
                        [asked, done, of = *of, meta = *meta, then](auto answered) mutable {
                          if (!answered) return refuse(asked, done, answered.error());
                          of.is_cordoned = answered->state->is_cordoned;
                          then(of, meta);
                        });
}

response node_response(const node& of, const std::string& message) {
  return json_response(200, {{"node", json_of(of)}, {"message", message}});
}

// Stops every environment of a host, one page of streams after the other; what is not running
// refuses, and that is as good.
class drain : public std::enable_shared_from_this<drain> {
 public:
  drain(const api& with, node of, command_meta meta, std::function<void(std::size_t)> done)
      : with_{with}, of_{std::move(of)}, meta_{std::move(meta)}, done_{std::move(done)} {}

  // Reads the journal, so it runs where that may block.
  void begin() {
    const auto& log = with_.given.journal;
    std::optional<stream_id> after;
    std::vector<environment_id> found;
    for (;;) {
      const auto some = log.list_streams(after, page);
      if (!some || some->empty()) break;
      after = some->back();
      for (const auto& each : *some)
        if (each.kind == aggregate_kind::environment &&
            home_of(each, log.partitions()) == of_.ordinal)
          found.push_back({each.key});
    }
    left_ = found.size() + 1;
    for (const auto& each : found) stop(each);
    answered(false);
  }

 private:
  static constexpr std::size_t page = 256;

  void stop(const environment_id& id) {
    auto meta = by_administrator(meta_);
    meta.id = uuid::derived("drain", id.value, meta_.id.text());
    meta.if_match.reset();
    with_.given.kernel.ask(
        id, environment::stop{environment::stop_reason::asked}, meta,
        [self = shared_from_this()](const auto& told) { self->answered(told.has_value()); });
  }
  void answered(bool stopping) {
    if (stopping) ++stopping_;
    if (--left_ == 0) done_(stopping_);
  }

  const api& with_;
  const node of_;
  const command_meta meta_;
  const std::function<void(std::size_t)> done_;
  std::atomic<std::size_t> left_{};
  std::atomic<std::size_t> stopping_{};
};

}  // namespace

void show_cluster(const api& with, request asked, respond done) {
  if (!cluster_or_refuse(with, asked, done)) return;
  boost::json::array items;
  std::uint32_t here = 0;
  for (const auto& each : with.given.cluster.nodes()) {
    if (each.here) here = each.ordinal;
    items.push_back(json_of(each));
  }
  done(json_response(200, {{"node", here},
                           {"partitions", with.given.journal.partitions()},
                           {"nodes", std::move(items)}}));
}

void cordon_node(const api& with, request asked, respond done) {
  ask_host<host::cordon>(with, asked, done, [done](const node& of, const auto&) {
    done(node_response(of, fmt::format("node {} takes no new environments", of.ordinal)));
  });
}

void uncordon_node(const api& with, request asked, respond done) {
  ask_host<host::uncordon>(with, asked, done, [done](const node& of, const auto&) {
    done(node_response(of, fmt::format("node {} takes new environments", of.ordinal)));
  });
}

void drain_node(const api& with, request asked, respond done) {
  ask_host<host::cordon>(
      with, asked, done, [&with, done](const node& of, const command_meta& meta) {
        auto work = std::make_shared<drain>(with, of, meta, [of, done](std::size_t stopping) {
          done(node_response(of, fmt::format("node {} takes no new environments; {} are stopping",
                                             of.ordinal, stopping)));
        });
        with.timers(std::chrono::milliseconds{0}, [work] { work->begin(); });
      });
}

}  // namespace berth::gateway::routes
