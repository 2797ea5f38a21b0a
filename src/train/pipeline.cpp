#include "train/pipeline.hpp"

#include <utility>
#include <vector>

namespace precis {

Pipeline::Pipeline(Setup setup)
    : setup_(std::move(setup)),
      stage_(setup_.device, setup_.model.config, setup_.model.parameters, setup_.arena) {}

void Pipeline::accumulate(Objective& objective, Parameters& gradients) {
  const Parameters& parameters = setup_.model.parameters;
  const auto micro_batches = split_micro_batches(objective.lengths(), setup_.micro_batch_tokens);
  const auto actions = setup_.schedule(StagePlace{}, std::ssize(micro_batches));
  const auto slots = assign_slots(actions);
  std::vector<ConstView> hidden(micro_batches.size());
  for (const Action& action : actions) {
    const auto m = static_cast<std::size_t>(action.micro_batch);
    const MicroBatch& rows = micro_batches[m];
    const auto dhidden = [&] {
      return objective.forward_backward(rows, hidden[m], stage_.workspace(slots[m]), gradients);
    };
    switch (action.kind) {
      case ActionKind::forward:
        setup_.ranks.progress().tick(setup_.activity);
        hidden[m] = stage_.forward(parameters, objective.pack(rows), slots[m]);
        break;
      case ActionKind::backward:
        stage_.backward(parameters, gradients, slots[m], dhidden());
        break;
      case ActionKind::input_gradient:
        stage_.input_gradient(parameters, gradients, slots[m], dhidden());
        break;
      case ActionKind::weight_gradient:
        stage_.weight_gradient(parameters, gradients, slots[m]);
        break;
    }
  }
}

}  // namespace precis
