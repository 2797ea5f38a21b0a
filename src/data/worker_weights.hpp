// Which labelers' comparisons a reward model is trained on, and how much each counts.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/comparisons.hpp"

namespace precis {

/// A weight of at least 0 for each worker.
using WorkerWeights = std::map<std::string, double>;

/// Reads {"format": "precis worker weights 1", "weights": {WORKER: WEIGHT, ...}}, as `precis label
/// audit --weights` writes it. Throws Error for anything else, and if all weights are 0.
[[nodiscard]] WorkerWeights read_worker_weights(const InputFile& input);
void write_worker_weights(const std::filesystem::path& file, const WorkerWeights& weights);

/// Decides which comparisons are left out and what weight the others have.
class WorkerChoice {
 public:
  WorkerChoice() = default;
  /// The name of `weights_file` may be empty: then every worker weighs 1.
  WorkerChoice(const InputFile& weights_file, const std::vector<std::string>& excluded);

  [[nodiscard]] bool excludes(const Comparison& comparison);
  /// Throws Error if the file does not have the worker.
  [[nodiscard]] double weight_of(const Comparison& comparison) const;
  /// To be called after the last row: throws Error for an excluded worker who made no comparison.
  void check_excluded(const std::string& files) const;

 private:
  std::string weights_file_;
  WorkerWeights weights_;
  std::set<std::string> excluded_;
  std::set<std::string> seen_;
};

}  // namespace precis
