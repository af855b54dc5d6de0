// What the workload uses now: from the cgroup files the launcher handed over, else summed over
// /proc.
#pragma once

#include "infra/agent/program/options.hpp"
#include "infra/agent/protocol/message.hpp"

namespace berth::agent {

wire::StatsT read_stats(const options& options);

}  // namespace berth::agent
