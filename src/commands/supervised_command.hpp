// What `sft` and `reward` share: from their keys to a trained model in the run folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "commands/command.hpp"
#include "data/data_options.hpp"
#include "io/handed_files.hpp"
#include "io/model_file.hpp"
#include "train/plan.hpp"
#include "train/run.hpp"

namespace precis {

/// The keys that both have.
struct SupervisedOptions {
  std::string model;
  std::string part;
  RunOptions run;
  DataOptions data;
  TrainOptions train;
  CheckpointOptions checkpoint;
};

/// What a training reads, by digests: those that the run keeps, and others on which only the ranks
/// must agree.
struct SupervisedDigests {
  std::map<std::string, std::string> inputs;
  std::map<std::string, std::string> others;
};

/// What differs between the two, in the order in which it is asked for. `read_rows` and
/// `final_config` are collective; an error of one rank in another one is thrown on all.
class SupervisedCommand {
 public:
  struct Facts {
    ModelKind kind = ModelKind::language;  ///< of the model in training
    /// Whether keys get their values from the model, so that the deck is complete only once it is
    /// loaded.
    bool model_completes_keys = false;
  };
  explicit SupervisedCommand(Facts facts) : facts_(facts) {}
  virtual ~SupervisedCommand() = default;
  SupervisedCommand(const SupervisedCommand&) = delete;
  SupervisedCommand& operator=(const SupervisedCommand&) = delete;
  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }

  virtual void check_keys() = 0;
  /// Completes keys by the model of a run that was begun before.
  virtual void take_keys(const ModelReader& /*model*/) {}
  /// The model that training starts from; completes keys too.
  [[nodiscard]] virtual Model start_model(const HandedFiles& handed, Device& device,
                                          const ModelRanks& ranks) = 0;
  /// Collective.
  virtual void read_rows(const HandedFiles& handed, const Model& model, RankGroup& world) = 0;
  [[nodiscard]] virtual SupervisedDigests digests(const HandedFiles& handed, bool goes_on) = 0;
  /// The plan for the rows that were read.
  [[nodiscard]] virtual TrainingPlan plan(Model& model) = 0;
  /// Collective: the configuration of the final model, whose parameters are `kept`.
  [[nodiscard]] virtual ModelConfig final_config(Device& /*device*/, ProcessGrid& /*grid*/,
                                                 const Model& model, const Parameters& /*kept*/) {
    return model.config;
  }
  /// Prints what is known of the final model, on rank 0.
  virtual void report() {}

 private:
  Facts facts_;
};

/// Trains, goes on with a training, or describes one (`dry_run`). `files` may include some that can
/// be read only once.
[[nodiscard]] ExitStatus run_supervised(Context& context, SupervisedOptions& options,
                                        const std::vector<std::string>& files,
                                        SupervisedCommand& command);

}  // namespace precis
