// The journal's rules over every engine this machine can run.
#define JOURNAL_ENGINES memory_engine, rocksdb_engine
#define JOURNAL_TAGS "[infra]"
#include "tests/infra/journal_conformance.hpp"
