#include "train/pipeline.hpp"

#include <array>
#include <utility>

namespace precis {
namespace {

constexpr int hidden_tag = 1;
constexpr int gradient_tag = 2;

/// As what an action is counted, and its name in the trace.
Work work_of(const Action& action) {
  constexpr std::array<const char*, 4> names{"forward", "backward", "input gradient",
                                             "weight gradient"};
  return {.kind = action.kind == ActionKind::forward ? WorkKind::forward : WorkKind::backward,
          .name = names[static_cast<std::size_t>(action.kind)],
          .micro_batch = action.micro_batch};
}

}  // namespace

Pipeline::Pipeline(Setup setup)
    : setup_(std::move(setup)),
      stage_(setup_.device, setup_.model.config, setup_.model.parameters, setup_.arena,
             setup_.activations) {}

/// One step in play.
class Pipeline::Step {
 public:
  Step(Pipeline& pipeline, Objective& objective, Parameters& gradients, const Complete& complete)
      : setup_(pipeline.setup_),
        stage_(pipeline.stage_),
        parallel_(pipeline.setup_.model.parameters.parallel()),
        objective_(objective),
        gradients_(gradients),
        complete_(complete),
        micro_batches_(split_micro_batches(objective.lengths(), setup_.micro_batch_tokens)),
        actions_(setup_.schedule({.stage = place().stage, .stages = place().stages},
                                 std::ssize(micro_batches_))),
        slots_(assign_slots(actions_)),
        deferred_(assign_deferred(actions_)),
        hidden_(micro_batches_.size()),
        sent_hidden_(micro_batches_.size()) {
    if (place().stages > 1 || complete) {
      stage_.call_between_blocks([this](std::optional<int> complete_from) {
        move_messages();
        if (complete_ && complete_from) {
          complete_(*complete_from);
        }
      });
    }
  }
  ~Step() { stage_.call_between_blocks({}); }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  void play() {
    for (const Action& action : actions_) {
      const auto m = static_cast<std::size_t>(action.micro_batch);
      const bool last = &action == &actions_.back();
      const WorkScope scope(setup_.ranks.work(), work_of(action));
      switch (action.kind) {
        case ActionKind::forward:
          forward(m);
          break;
        case ActionKind::backward:
          send_gradient(stage_.backward(parameters(), gradients_, slots_[m], dhidden(m), last));
          break;
        case ActionKind::input_gradient:
          send_gradient(
              stage_.input_gradient(parameters(), gradients_, slots_[m], dhidden(m), deferred_[m]));
          break;
        case ActionKind::weight_gradient:
          stage_.weight_gradient(parameters(), gradients_, slots_[m], last);
          break;
      }
    }
    sent_gradient_.wait();
  }

 private:
  [[nodiscard]] const ModelPlace& place() const { return parallel_.place; }
  [[nodiscard]] const Parameters& parameters() const { return setup_.model.parameters; }
  [[nodiscard]] Queue& queue() { return setup_.device.queue(); }
  [[nodiscard]] Workspace& workspace(std::size_t m) { return stage_.workspace(slots_[m]); }

  /// MPI moves what was sent only while somebody calls it.
  void move_messages() {
    (void)sent_gradient_.test();
    for (StartedOperation& sent : sent_hidden_) {
      (void)sent.test();
    }
  }

  void forward(std::size_t m) {
    setup_.ranks.progress().tick(setup_.activity);
    hidden_[m] = stage_.forward(
        parameters(), objective_.pack(micro_batches_[m]), slots_[m], [&](View input) {
          parallel_.pipeline->receive(queue(), input, place().stage - 1, hidden_tag);
        });
    if (!place().is_last_stage()) {
      sent_hidden_[m] =
          parallel_.pipeline->start_send(queue(), hidden_[m], place().stage + 1, hidden_tag);
    }
  }

  /// The gradient of what the forward pass gave: of the loss, or as the next stage sends it.
  [[nodiscard]] ConstView dhidden(std::size_t m) {
    // Its memory is about to be written over.
    sent_gradient_.wait();
    if (place().is_last_stage()) {
      return objective_.forward_backward(micro_batches_[m], hidden_[m], workspace(m), gradients_);
    }
    sent_hidden_[m].wait();
    View gradient = workspace(m).take(hidden_[m].shape(), hidden_[m].dtype());
    parallel_.pipeline->receive(queue(), gradient, place().stage + 1, gradient_tag);
    return gradient;
  }

  void send_gradient(ConstView dinput) {
    if (!place().is_first_stage()) {
      sent_gradient_ =
          parallel_.pipeline->start_send(queue(), dinput, place().stage - 1, gradient_tag);
    }
  }

  Setup& setup_;
  Stage& stage_;
  const ModelParallel& parallel_;
  Objective& objective_;
  Parameters& gradients_;
  const Complete& complete_;
  std::vector<MicroBatch> micro_batches_;
  std::vector<Action> actions_;
  std::vector<int> slots_, deferred_;
  std::vector<ConstView> hidden_;
  std::vector<StartedOperation> sent_hidden_;  // by micro-batch
  StartedOperation sent_gradient_;             // the last one
};

void Pipeline::accumulate(Objective& objective, Parameters& gradients, const Complete& complete) {
  Step(*this, objective, gradients, complete).play();
}

}  // namespace precis
