// berth-replay: the journal read again, for views, checks and recordings.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tools/berthd/kafka_settings.hpp"
#include "tools/inspect/queries.hpp"
#include "tools/replay/export_recording.hpp"
#include "tools/replay/migrate.hpp"
#include "tools/replay/rebuild.hpp"
#include "tools/replay/verify_fold.hpp"

namespace {

struct options {
  std::string data_dir;
  std::string output{"table"};
  std::string view;
  std::string against;
  std::string terminal;
  std::string format{"asciicast-v3"};
  std::string file;
  bool rebuild{};
  bool verify_fold{};
  bool state_hashes{};
  bool to_kafka{};
  bool from_kafka{};
  std::string config;
};

int migrate(const options& asked, const berth::embedded_options& engine, bool json) {
  using namespace berth;
  std::vector<std::string> errors;
  auto settings = berthd::read_kafka_file(asked.config, errors);
  for (const auto& each : errors) fmt::print(stderr, "berth-replay: {}\n", each);
  if (!errors.empty()) return inspect::exit_usage;
  if (settings.options.node.empty()) settings.options.node = "berth-replay";
  return asked.to_kafka ? replay::to_kafka(engine, settings.options, json)
                        : replay::from_kafka(engine, settings.options, json);
}

int run(const options& asked) {
  using namespace berth;
  embedded_options engine;
  engine.data_dir = asked.data_dir;
  const bool json = asked.output == "json";
  if (asked.rebuild) return replay::rebuild(engine, asked.view, json);
  if (asked.verify_fold) return replay::verify_fold(engine, json);
  if (asked.to_kafka || asked.from_kafka) return migrate(asked, engine, json);
  if (asked.state_hashes) return replay::state_hashes(engine, asked.against);
  return replay::export_recording(engine, asked.terminal, asked.format, asked.file);
}

}  // namespace

int main(int argc, char** argv) {
  options asked;
  CLI::App top{"berth-replay: read the journal again", "berth-replay"};
  top.add_option("--data-dir", asked.data_dir, "berthd's data directory")
      ->required()
      ->envname("BERTH_DATA_DIR")
      ->check(CLI::ExistingDirectory);
  top.add_option("-o,--output", asked.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  auto* what = top.add_option_group("what", "one of");
  what->require_option(1);
  auto* rebuild = what->add_flag("--rebuild", asked.rebuild, "fill every view anew and swap it in");
  what->add_flag("--verify-fold", asked.verify_fold,
                 "compare every snapshot with its stream's fold");
  auto* hashes = what->add_flag("--state-hashes", asked.state_hashes,
                                "print every stream's state hash as JSON");
  auto* exported =
      what->add_option("--export", asked.terminal, "write a terminal's recording (term_…)");
  auto* to_kafka = what->add_flag("--to-kafka", asked.to_kafka,
                                  "copy the embedded journal into Kafka and compare");
  auto* from_kafka = what->add_flag("--from-kafka", asked.from_kafka,
                                    "make an embedded journal of the one in Kafka and compare");
  auto* config = top.add_option("--config", asked.config, "berthd's configuration, for its [kafka]")
                     ->check(CLI::ExistingFile);
  to_kafka->needs(config);
  from_kafka->needs(config);
  top.add_option("--view", asked.view, "only this view")->needs(rebuild);
  top.add_option("--against", asked.against, "compare with such a list of another build")
      ->needs(hashes)
      ->check(CLI::ExistingFile);
  top.add_option("--format", asked.format, "asciicast-v2, asciicast-v3 or raw")
      ->needs(exported)
      ->check(CLI::IsMember({"asciicast-v2", "asciicast-v3", "raw"}));
  top.add_option("--to", asked.file, "file to write (default: standard output)")->needs(exported);
  try {
    top.parse(argc, argv);
    return run(asked);
  } catch (const CLI::ParseError& error) {
    return top.exit(error) == 0 ? berth::inspect::exit_ok : berth::inspect::exit_usage;
  } catch (const std::exception& error) {
    return berth::inspect::fail(berth::inspect::exit_error, error.what());
  }
}
