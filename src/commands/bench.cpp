// `precis bench kernels`, `bench train` and `bench decode`: speed beside the machine's limits.
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "base/log_options.hpp"
#include "base/text.hpp"
#include "bench/kernels.hpp"
#include "bench/speed.hpp"
#include "commands/commands.hpp"
#include "io/jsonl.hpp"
#include "parallel/collectively.hpp"
#include "parallel/watchdog.hpp"
#include "train/data_parts.hpp"
#include "train/machine.hpp"
#include "train/train_options.hpp"

namespace precis {
namespace {

struct BenchOptions {
  BenchOptions() {
    config.layers = 12;
    config.width = 768;
    config.heads = 12;
    config.vocabulary = 50257;
  }

  std::int64_t batch = 4;
  std::int64_t length = 256;
  std::int64_t micro_batch_tokens = TrainOptions().micro_batch_tokens;
  std::vector<std::string> sequences = {"1", "8", "64"};
  std::int64_t prompt_tokens = 64;
  std::int64_t new_tokens = 33;
  std::int64_t repeats = 5;
  std::string json;
  MachineOptions machine;
  LogOptions log;
  ModelConfig config;
  std::int64_t tensor_parts = 0;  ///< exact.tensor_parts; 0: not given
};

/// The options that all three have.
void add_common_options(OptionTable& table, BenchOptions& o) {
  table.add("bench.repeats", &o.repeats,
            {.meaning = "how often each thing is measured, after a warm-up; the time is the median",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e6});
  table.add(
      "json", &o.json,
      {.meaning = "the table as one JSON object; empty: not written", .file = FileUse::output});
  add_machine_options(table, o.machine);
  add_log_options(table, o.log);
  table.add("bench.vocabulary", &o.config.vocabulary,
            {.unit = "tokens",
             .meaning = "of the model",
             .source = "GPT-2 124M",
             .minimum = 2,
             .maximum = 1 << 24});
  add_model_options(table, o.config, "GPT-2 124M");
}

void add_batch_options(OptionTable& table, BenchOptions& o) {
  table.add("bench.batch", &o.batch,
            {.unit = "sequences",
             .meaning = "of a batch",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e4});
  table.add("bench.length", &o.length,
            {.unit = "tokens",
             .meaning = "of each sequence",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e6});
}

void add_sequences_options(OptionTable& table, BenchOptions& o, const std::string& prompt) {
  table.add("bench.sequences", &o.sequences,
            {.meaning = "how many sequences are decoded together; each number is measured",
             .source = "precis"});
  table.add(
      "bench.prompt_tokens", &o.prompt_tokens,
      {.unit = "tokens", .meaning = prompt, .source = "precis", .minimum = 1, .maximum = 1e6});
}

void add_kernels_options(OptionTable& table, BenchOptions& o) {
  add_batch_options(table, o);
  add_sequences_options(table, o, "already in the cache of each sequence");
  add_common_options(table, o);
}

void add_train_options(OptionTable& table, BenchOptions& o) {
  add_batch_options(table, o);
  table.add("train.micro_batch_tokens", &o.micro_batch_tokens,
            {.unit = "tokens",
             .meaning = "that pass through the model at a time",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
  add_tensor_parts_option(table, o.tensor_parts);
  add_common_options(table, o);
}

void add_decode_options(OptionTable& table, BenchOptions& o) {
  add_sequences_options(table, o, "of each prompt");
  table.add("bench.new_tokens", &o.new_tokens,
            {.unit = "tokens",
             .meaning = "of each response, including the one that the prompt's pass gives",
             .source = "precis",
             .minimum = 2,
             .maximum = 1e6});
  add_tensor_parts_option(table, o.tensor_parts);
  add_common_options(table, o);
}

constexpr std::int64_t most_sequences = 1'000'000;

std::vector<std::int64_t> counts_of(const std::vector<std::string>& words) {
  if (words.empty()) {
    fail_usage("bench.sequences is empty; expected integers of at least 1, such as 1,8,64.");
  }
  std::vector<std::int64_t> counts;
  for (const std::string& word : words) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc() || end != word.data() + word.size() || count < 1 ||
        count > most_sequences) {
      fail_usage("bench.sequences has `{}`; expected integers from 1 to {}, such as 1,8,64.", word,
                 most_sequences);
    }
    counts.push_back(count);
  }
  return counts;
}

void check_context(const ModelConfig& config, std::int64_t tokens, const std::string& keys) {
  if (tokens > config.context) {
    fail_usage("{} asks for sequences of {} tokens, but model.context is {}.", keys, tokens,
               config.context);
  }
}

/// What a benchmark measures with.
struct Bench {
  Machine& machine;
  RankGroup& world;
  const Timing& timing;
  RandomTensors& random;
};
using Measure = std::vector<Measurement> (*)(const BenchOptions&, const Bench&);

std::vector<Measurement> kernels(const BenchOptions& o, const Bench& bench) {
  return measure_kernels(bench.timing, bench.random, o.config,
                         {.batch = o.batch,
                          .length = o.length,
                          .sequences = counts_of(o.sequences),
                          .cached = o.prompt_tokens});
}

Model model_of(const BenchOptions& o, Device& device) {
  ModelRanks ranks;
  ranks.tensor_parts = tensor_parts_of(o.tensor_parts, 1);
  return make_model(device, o.config, {}, static_cast<std::uint64_t>(o.machine.seed), ranks);
}

std::vector<Measurement> train(const BenchOptions& o, const Bench& bench) {
  check_context(o.config, o.length, "bench.length");
  Model model = model_of(o, bench.machine.device);
  return {measure_training(bench.timing, bench.machine, model, bench.world, o.batch, o.length,
                           o.micro_batch_tokens)};
}

std::vector<Measurement> decode(const BenchOptions& o, const Bench& bench) {
  check_context(o.config, o.prompt_tokens + o.new_tokens,
                "bench.prompt_tokens with bench.new_tokens");
  const auto counts = counts_of(o.sequences);
  const Model model = model_of(o, bench.machine.device);
  std::vector<Measurement> results;
  for (const std::int64_t sequences : counts) {
    for (Measurement& measurement :
         measure_generation(bench.timing, model, sequences, o.prompt_tokens, o.new_tokens)) {
      results.push_back(std::move(measurement));
    }
  }
  return results;
}

void write_json(JsonlWriter& file, const Context& context, const BenchOptions& o,
                const Machine& machine, const nlohmann::ordered_json& measured) {
  nlohmann::ordered_json json = {{"command", context.command},
                                 {"device", machine.device.backend().describe()},
                                 {"precision", o.machine.precision},
                                 {"threads", machine.threads},
                                 {"model", nlohmann::ordered_json::parse(to_json(o.config))}};
  json.update(measured);
  file.write(json);
  file.commit();
}

template <Measure measure>
ExitStatus run(Context& context, BenchOptions& o) {
  MpiSession& mpi = *context.mpi;
  RankGroup& world = mpi.world();
  apply(o.log, mpi.rank(), context.log);
  const Watchdog watchdog(mpi, o.machine.watchdog_seconds);
  collectively(world, [&] {
    if (world.size() > 1) {
      fail_usage("{} measures one rank, but there are {}. Start it without mpirun.",
                 context.command, world.size());
    }
  });
  const GridShape grid = grid_of(o.machine, mpi);
  Machine machine = start_machine(o.machine, mpi, context.log, to_string(grid));
  try {
    complete(o.config);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  // A file that cannot be written is an error before the work, not after it.
  std::optional<JsonlWriter> file;
  if (!o.json.empty()) {
    file.emplace(o.json);
  }
  const Timing timing(machine.device, o.repeats, [&] { world.progress().tick("benchmark"); });
  RandomTensors random(machine.device, static_cast<std::uint64_t>(o.machine.seed));
  const auto results = measure(o, {machine, world, timing, random});
  const Ceilings ceilings = measure_ceilings(timing, random);
  fmt::print("{}", to_text(ceilings, results));
  if (file) {
    write_json(*file, context, o, machine, to_json(ceilings, results));
  }
  return ExitStatus::done;
}

}  // namespace

Command bench_kernels_command() {
  return make_command<BenchOptions>("bench kernels",
                                    "time each family of kernels beside the machine's limits",
                                    Mpi::yes, add_kernels_options, run<kernels>);
}

Command bench_train_command() {
  return make_command<BenchOptions>("bench train",
                                    "time training steps beside the machine's limits", Mpi::yes,
                                    add_train_options, run<train>);
}

Command bench_decode_command() {
  return make_command<BenchOptions>("bench decode", "time generation beside the machine's limits",
                                    Mpi::yes, add_decode_options, run<decode>);
}

}  // namespace precis
