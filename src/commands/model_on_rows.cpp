#include "commands/model_on_rows.hpp"

#include <map>
#include <utility>

#include "parallel/collectively.hpp"
#include "train/data_parts.hpp"
#include "train/input_digests.hpp"

namespace precis {
namespace {

HandedFiles hand_on(Context& context, const ModelOnRowsOptions& o) {
  apply(o.log, context.mpi->rank(), context.log);
  return HandedFiles(*context.mpi, {o.input});
}

}  // namespace

ModelOnRows::ModelOnRows(Context& context, ModelOnRowsOptions& o,
                         std::initializer_list<ModelKind> kinds,
                         const std::function<void()>& check_keys)
    : mpi_(*context.mpi),
      options_(o),
      handed_(hand_on(context, o)),
      watchdog_(mpi_, o.machine.watchdog_seconds),
      machine_(collectively(mpi_.world(),
                            [&] {
                              check_keys();
                              shape_ = grid_of(o.machine, mpi_);
                              return start_machine(o.machine, mpi_, context.log, to_string(shape_));
                            })),
      grid_(std::make_unique<ProcessGrid>(mpi_.world().duplicate("model"), shape_, "model")),
      model_(collectively(mpi_.world(), [&] {
        return load_model(machine_.device, o.model, kinds, o.part,
                          model_ranks(*grid_, "", tensor_parts_of(o.tensor_parts, shape_.tp)));
      })) {}

void ModelOnRows::agree_on(const std::vector<PromptRow>& rows) const {
  agree_on_inputs(mpi_.world(), collectively(mpi_.world(), [&] {
                    return std::map<std::string, std::string>{
                        {"model", digest_of_model(options_.model)}, {"input", digest_of(rows)}};
                  }));
}

std::vector<PromptRow> without_bad_rows(PromptRows rows, const std::string& input, Log& log) {
  if (rows.bad > 0) {
    log.warning("{}: {} unreadable rows were skipped.", input, rows.bad);
  }
  return std::move(rows.rows);
}

}  // namespace precis
