// The server's metrics, by their names in docs/operations.md. What is given outlives the page.
#pragma once

#include "actors/kernel_options.hpp"
#include "actors/projection_driver.hpp"
#include "infra/kafka/kafka_log.hpp"
#include "infra/kafka/kafka_mirror.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/scrub/scrubber.hpp"
#include "infra/telemetry/metrics.hpp"

namespace berth::berthd {

void add_kernel_metrics(metrics_page& to, const running_kernel& core);
void add_embedded_metrics(metrics_page& to, const embedded_engine& engine);
void add_kafka_metrics(metrics_page& to, const kafka_log& log);
void add_mirror_metrics(metrics_page& to, const kafka_mirror& mirror);
void add_projection_metrics(metrics_page& to, const journal& log, const projection_driver& views);
void add_scrub_metrics(metrics_page& to, const scrubber& scrub);

}  // namespace berth::berthd
