// Plays a schedule: takes the micro-batches of a step through a stage and an objective.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/model.hpp"
#include "model/stage.hpp"
#include "parallel/rank_group.hpp"
#include "train/objective.hpp"
#include "train/schedule.hpp"

namespace precis {

class Pipeline {
 public:
  struct Setup {
    Device& device;
    const Model& model;
    RankGroup& ranks;  ///< whose progress record is ticked before each micro-batch
    std::int64_t micro_batch_tokens = 0;
    std::string activity = "gradient";  ///< what the progress record says
    MakeSchedule schedule = one_forward_one_backward;
    Activations activations = {};
    std::shared_ptr<Arena> arena = nullptr;  ///< null: one of its own
  };
  explicit Pipeline(Setup setup);

  /// Told between blocks: all tensors from number `first` on have what this step adds to them.
  using Complete = std::function<void(int first)>;
  /// Adds this stage's part of the gradient of the loss of the objective's step to `gradients`.
  /// Collective over the ranks that hold a copy of the model, which are given the same rows: hidden
  /// states go to the next one and gradients to the one before. Only the last one calls the
  /// objective's loss.
  void accumulate(Objective& objective, Parameters& gradients, const Complete& complete = {});

 private:
  class Step;

  Setup setup_;
  Stage stage_;
};

}  // namespace precis
