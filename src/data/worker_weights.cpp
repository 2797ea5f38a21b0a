#include "data/worker_weights.hpp"

#include <algorithm>
#include <cmath>

#include "base/hints.hpp"
#include "base/text.hpp"
#include "io/text_file.hpp"

namespace precis {
namespace {

constexpr const char* format_name = "precis worker weights 1";

}  // namespace

WorkerWeights read_worker_weights(const InputFile& input) {
  const std::string& file = input.name;
  const nlohmann::json content = parse_json(read_text_file(input), file);
  const auto* const format = content.is_object() ? find_field(content, "format") : nullptr;
  require(format != nullptr && *format == format_name,
          "{}: \"format\": \"{}\" was expected. `precis label audit --weights` writes such files.",
          file, format_name);
  const auto* const weights = find_field(content, "weights");
  require(weights != nullptr && weights->is_object(),
          "{}: the field `weights` was expected, an object with a number for each worker.", file);
  WorkerWeights result;
  for (const auto& [worker, weight] : weights->items()) {
    require(weight.is_number() && weight.get<double>() >= 0,
            "{}: the weight of worker \"{}\" is {}; expected a number of at least 0.", file, worker,
            weight.is_number() ? weight.dump() : weight.type_name());
    result[worker] = weight;
  }
  require(std::any_of(result.begin(), result.end(),
                      [](const auto& weight) { return weight.second > 0; }),
          "{}: no worker has a weight above 0, so there would be nothing to learn from.", file);
  return result;
}

void write_worker_weights(const std::filesystem::path& file, const WorkerWeights& weights) {
  const nlohmann::ordered_json content{{"format", format_name}, {"weights", weights}};
  write_file(file, content.dump(2) + "\n");
}

WorkerChoice::WorkerChoice(const InputFile& weights_file, const std::vector<std::string>& excluded)
    : weights_file_(weights_file.name), excluded_(excluded.begin(), excluded.end()) {
  if (!weights_file_.empty()) {
    weights_ = read_worker_weights(weights_file);
  }
}

bool WorkerChoice::excludes(const Comparison& comparison) {
  if (excluded_.empty()) {
    return false;
  }
  seen_.insert(comparison.worker);
  return excluded_.contains(comparison.worker);
}

double WorkerChoice::weight_of(const Comparison& comparison) const {
  if (weights_file_.empty()) {
    return 1;
  }
  const auto found = weights_.find(comparison.worker);
  require(found != weights_.end(),
          "{}: {} has no weight for its worker \"{}\". Give the worker one there, or leave the "
          "comparisons out by data.exclude_workers.",
          comparison.where(), weights_file_, comparison.worker);
  return found->second;
}

void WorkerChoice::check_excluded(const std::string& files) const {
  for (const std::string& worker : excluded_) {
    if (!seen_.contains(worker)) {
      const std::vector<std::string> there(seen_.begin(), seen_.end());
      fail(
          "data.exclude_workers names \"{}\", but {} has no comparison of this worker, only of "
          "{}.{}",
          worker, files, listed(there), question(meant_by(worker, there)));
    }
  }
}

}  // namespace precis
