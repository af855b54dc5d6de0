// The server's metrics, by their names in docs/operations.md.
#pragma once

#include "actors/kernel_options.hpp"
#include "actors/projection_driver.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/scrub/scrubber.hpp"
#include "infra/telemetry/metrics.hpp"

namespace berth::berthd {

void add_server_metrics(metrics_page& to, const running_kernel& core, const embedded_engine& engine,
                        const projection_driver& views);

void add_scrub_metrics(metrics_page& to, const scrubber& scrub);

}  // namespace berth::berthd
