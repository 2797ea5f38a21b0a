// What `sample` and `score` begin with: a machine, a model, and rows that go through it.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log_options.hpp"
#include "commands/command.hpp"
#include "data/data_options.hpp"
#include "data/prompt_rows.hpp"
#include "io/handed_files.hpp"
#include "model/model.hpp"
#include "parallel/watchdog.hpp"
#include "train/machine.hpp"
#include "train/parallel_options.hpp"

namespace precis {

/// The keys that both have.
struct ModelOnRowsOptions {
  std::string model;
  std::string part;
  std::string input;
  std::string output;
  MachineOptions machine;
  LogOptions log;
  DataOptions data;
  std::int64_t tensor_parts = 0;  ///< exact.tensor_parts; 0: not given
};

class ModelOnRows {
 public:
  /// Collective: starts the machine, once `check_keys` has passed, and loads what this rank holds
  /// of a model of these kinds.
  ModelOnRows(Context& context, ModelOnRowsOptions& options, std::initializer_list<ModelKind> kinds,
              const std::function<void()>& check_keys);

  [[nodiscard]] const HandedFiles& handed() const noexcept { return handed_; }
  [[nodiscard]] Machine& machine() noexcept { return machine_; }
  [[nodiscard]] ProcessGrid& grid() noexcept { return *grid_; }
  [[nodiscard]] const Model& model() const noexcept { return model_; }
  /// The time since the start.
  [[nodiscard]] double seconds() const { return watch_.seconds(); }
  /// Collective: all ranks have read the same model and rows.
  void agree_on(const std::vector<PromptRow>& rows) const;

 private:
  MpiSession& mpi_;
  const ModelOnRowsOptions& options_;
  HandedFiles handed_;
  Stopwatch watch_;
  Watchdog watchdog_;
  GridShape shape_;
  Machine machine_;
  std::unique_ptr<ProcessGrid> grid_;
  Model model_;
};

/// The rows that were read, with a warning if some were not readable.
[[nodiscard]] std::vector<PromptRow> without_bad_rows(PromptRows rows, const std::string& input,
                                                      Log& log);

}  // namespace precis
