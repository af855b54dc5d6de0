// The journal's rules over every engine this machine can run.
#define JOURNAL_ENGINES memory_engine, rocksdb_engine
#include "tests/infra/journal_conformance.hpp"
