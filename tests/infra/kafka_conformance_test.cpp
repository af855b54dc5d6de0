// The journal's rules over Kafka, on real brokers.
#include "tests/support/kafka_engines.hpp"
#define JOURNAL_ENGINES kafka_test_engine
#define JOURNAL_TAGS "[.kafka]"
#include "tests/infra/journal_conformance.hpp"
