#include "train/run_record.hpp"

namespace precis {

RunRecord::RunRecord(const RunFolder& folder, const RunOptions& options, Log& log,
                     const RunState& state, std::int64_t total_steps)
    : samples_path_(folder.samples()),
      episodes_path_(folder.episodes()),
      metrics_(folder.metrics()),
      progress_(log, state.command, state.step, total_steps, options.log.every_seconds) {
  if (options.tensorboard) {
    tensorboard_ = std::make_unique<TensorboardFile>(folder.tensorboard());
  }
}

void RunRecord::add_step(const RunState& state, const Step& step, const PhaseTimer& phases) {
  const double tokens_per_second = static_cast<double>(step.tokens) / step.seconds;
  Row row{{"step", state.step}, {"tokens", state.tokens}};
  row.update(step.metrics);
  row["seconds"] = step.seconds;
  for (const auto& [phase, spent] : phases.seconds()) {
    row["seconds_" + phase] = spent;
  }
  row["tokens_per_second"] = tokens_per_second;
  metrics_.append(row);
  if (tensorboard_) {
    tensorboard_->append(state.step, row);
  }
  ProgressNumbers progress = step.progress;
  progress.tokens_per_second = tokens_per_second;
  progress_.report(state.step, progress);
}

void RunRecord::append(std::unique_ptr<RowFile>& file, const std::filesystem::path& path,
                       const std::vector<Row>& rows) {
  if (!file && !rows.empty()) {
    file = std::make_unique<RowFile>(path);
  }
  for (const Row& row : rows) {
    file->append(row);
  }
}

void RunRecord::sync() {
  metrics_.sync();
  for (const auto* rows : {&samples_, &episodes_}) {
    if (*rows) {
      (*rows)->sync();
    }
  }
}

}  // namespace precis
