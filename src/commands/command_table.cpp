#include "commands/commands.hpp"

namespace precis {

std::vector<Command> command_table() {
  return {
      import_command(),
      export_command(),
      tokenizer_command(),
      encode_command(),
      decode_command(),
      synthesize_command(),
      sft_command(),
      reward_command(),
      ppo_command(),
      sample_command(),
      score_command(),
      label_pairs_command(),
      label_simulate_command(),
      label_export_command(),
      label_import_command(),
      label_audit_command(),
      evaluate_win_command(),
      evaluate_table_command(),
      evaluate_best_of_n_command(),
      evaluate_overoptimization_command(),
      evaluate_reward_command(),
      evaluate_rouge_command(),
      evaluate_copying_command(),
      evaluate_transfer_command(),
      evaluate_axes_command(),
      bench_kernels_command(),
      bench_train_command(),
      bench_decode_command(),
      report_command(),
      inspect_command(),
  };
}

}  // namespace precis
