// The functions that describe the subcommands, each defined in the file of its name.
#pragma once

#include "commands/command.hpp"

namespace precis {

/// `precis import`: a Hugging Face folder to a model file.
[[nodiscard]] Command import_command();
/// `precis export`: a language model to a Hugging Face folder.
[[nodiscard]] Command export_command();
/// `precis synthesize`: TL;DR rows of the embedded data set.
[[nodiscard]] Command synthesize_command();
/// `precis tokenizer`: trains a byte-level BPE tokenizer.
[[nodiscard]] Command tokenizer_command();
/// `precis encode`: text to token ids.
[[nodiscard]] Command encode_command();
/// `precis decode`: token ids to text.
[[nodiscard]] Command decode_command();
/// `precis sft`: supervised fine-tuning.
[[nodiscard]] Command sft_command();
/// `precis reward`: a reward model from comparisons.
[[nodiscard]] Command reward_command();
/// `precis sample`: summaries that a language model writes.
[[nodiscard]] Command sample_command();
/// `precis score`: log-probs, rewards or values of given responses.
[[nodiscard]] Command score_command();
/// `precis ppo`: a policy improved by PPO against a reward model.
[[nodiscard]] Command ppo_command();
/// `precis label pairs`: pairs of summaries that nobody has judged yet.
[[nodiscard]] Command label_pairs_command();
/// `precis label simulate`: comparisons by simulated labelers.
[[nodiscard]] Command label_simulate_command();
/// `precis label audit`: agreement and reliability of labelers, and feedback to them.
[[nodiscard]] Command label_audit_command();
/// `precis label export`: a page on which people compare summaries.
[[nodiscard]] Command label_export_command();
/// `precis label import`: what people answered, back as comparisons.
[[nodiscard]] Command label_import_command();
/// `precis evaluate rouge`: predictions beside references by ROUGE.
[[nodiscard]] Command evaluate_rouge_command();
/// `precis evaluate copying`: how much of the samples is copied from their posts.
[[nodiscard]] Command evaluate_copying_command();
/// `precis evaluate win`: two policies beside each other, judged by gold, a reward model or people.
[[nodiscard]] Command evaluate_win_command();
/// `precis evaluate table`: several policies side by side under the gold labeler.
[[nodiscard]] Command evaluate_table_command();
/// `precis evaluate best-of-n`: what the best of n samples by a reward model is worth.
[[nodiscard]] Command evaluate_best_of_n_command();
/// `precis evaluate transfer`: a TL;DR policy's summaries of news articles.
[[nodiscard]] Command evaluate_transfer_command();
/// `precis evaluate axes`: summaries judged on Likert axes, by policy and by worker.
[[nodiscard]] Command evaluate_axes_command();
/// `precis evaluate overoptimization`: the learned reward beside the true one.
[[nodiscard]] Command evaluate_overoptimization_command();
/// `precis evaluate reward`: how often a reward model agrees with comparisons.
[[nodiscard]] Command evaluate_reward_command();
/// `precis bench kernels`: the time of each family of kernels beside the machine's limits.
[[nodiscard]] Command bench_kernels_command();
/// `precis bench train`: the speed of training steps.
[[nodiscard]] Command bench_train_command();
/// `precis bench decode`: the speed of generation.
[[nodiscard]] Command bench_decode_command();

/// `precis report`: run folders as one page of HTML.
[[nodiscard]] Command report_command();
/// `precis inspect`: shows, verifies and compares model files and checkpoints.
[[nodiscard]] Command inspect_command();

}  // namespace precis
