// `precis inspect`: what a model file or a checkpoint holds.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "io/compare.hpp"
#include "io/state_file.hpp"
#include "model/finite.hpp"

namespace precis {

namespace {

struct InspectOptions {
  std::string file;
  bool verify = false;
  std::string diff;
};

void add_options(OptionTable& table, InspectOptions& options) {
  table.add("file", &options.file,
            {.meaning = "the model file or checkpoint; also the first word", .required = true});
  table.set_positional("file");
  table.add(
      "verify", &options.verify,
      {.meaning =
           "read everything, compare it with its digests, and check that all elements are finite",
       .source = "precis"});
  table.add("diff", &options.diff, {.meaning = "another file, to be compared with the first"});
}

/// Prints a text that is a JSON object with one key per line, and any other text as it is.
void print_object(const StateReader& file, const std::string& path) {
  const auto object = nlohmann::ordered_json::parse(file.text(path), nullptr, false);
  if (!object.is_object()) {
    return;
  }
  fmt::print("{}\n", path);
  std::size_t width = 0;
  for (const auto& [key, value] : object.items()) {
    width = std::max(width, key.size());
  }
  for (const auto& [key, value] : object.items()) {
    fmt::print("  {:{}}  {}\n", key, width, value.dump());
  }
}

void print_file(const StateReader& file) {
  fmt::print("{}\n", file.path().string());
  for (const std::string& name : file.attributes()) {
    fmt::print("  {:8}{}\n", name, file.attribute(name));
  }
  const std::vector<DatasetInfo> datasets = file.datasets();
  std::size_t width = 0;
  std::uint64_t bytes = 0;
  for (const DatasetInfo& info : datasets) {
    width = std::max(width, info.path.size());
    bytes += info.size_bytes;
    if (info.dtype == "text") {
      print_object(file, info.path);
    }
  }
  fmt::print("datasets\n");
  for (const DatasetInfo& info : datasets) {
    fmt::print("  {:{}}  {:5} {:16} {:>11}  {}\n", info.path, width, info.dtype,
               to_string(info.shape), byte_size(info.size_bytes),
               info.digest ? fmt::format("{:016x}", *info.digest) : "no digest");
  }
  fmt::print("{} datasets, {}\ncontent digest {:016x}\n", datasets.size(), byte_size(bytes),
             content_digest(file));
}

/// What is wrong with a tensor whose elements are not all finite; empty: nothing is.
std::string not_finite(const StateReader& file, const DatasetInfo& info) {
  if (info.dtype != "f32") {
    return "";
  }
  std::int64_t count = 1;
  for (const std::int64_t extent : info.shape) {
    count *= extent;
  }
  std::vector<float> values(static_cast<std::size_t>(count));
  Shape shape;
  for (const std::int64_t extent : info.shape) {
    shape.append(extent);
  }
  file.tensor(info.path, view_of(values.data(), shape));
  const std::string found = not_finite_text(values);
  return found.empty() ? ""
                       : fmt::format("{}, dataset {}: {}.", file.path().string(), info.path, found);
}

/// Throws Error with every dataset that is damaged or not finite, at most ten by name.
void verify(const StateReader& file) {
  std::string damage;
  std::size_t damaged = 0;
  std::size_t without_digest = 0;
  const std::vector<DatasetInfo> datasets = file.datasets();
  for (const DatasetInfo& info : datasets) {
    without_digest += info.digest ? 0 : 1;
    std::string found = file.verify(info.path);
    if (found.empty()) {
      found = not_finite(file, info);
    }
    if (!found.empty() && ++damaged <= 10) {
      damage += (damage.empty() ? "" : "\n") + found;
    }
  }
  require(damaged <= 10, "{}\n... and {} more damaged datasets.", damage, damaged - 10);
  require(damaged == 0, "{}", damage);
  fmt::print("verified: {} of {} datasets match their digests\n", datasets.size() - without_digest,
             datasets.size());
  if (without_digest > 0) {
    fmt::print("{} datasets have no digest; they can be read, but not verified\n", without_digest);
  }
}

/// Prints what differs; whether anything does.
bool print_differences(const StateReader& a, const StateReader& b) {
  const std::vector<std::string> lines = differences(a, b);
  for (const std::string& line : lines) {
    fmt::print("{}\n", line);
  }
  fmt::print("{} and {} {}\n", a.path().string(), b.path().string(),
             lines.empty() ? "are equal" : "differ");
  return !lines.empty();
}

ExitStatus run(Context& /*context*/, InspectOptions& options) {
  const StateReader file(options.file);
  bool differ = false;
  if (options.verify) {
    verify(file);
  }
  if (!options.diff.empty()) {
    differ = print_differences(file, StateReader(options.diff));
  }
  if (!options.verify && options.diff.empty()) {
    print_file(file);
  }
  return differ ? ExitStatus::failed : ExitStatus::done;
}

}  // namespace

Command inspect_command() {
  return make_command<InspectOptions>(
      "inspect", "show, verify and compare model files and checkpoints", Mpi::no, add_options, run);
}

}  // namespace precis
