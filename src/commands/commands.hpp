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
/// `precis label simulate`: comparisons by a simulated labeler.
[[nodiscard]] Command label_simulate_command();
/// `precis evaluate win`: two files of samples under the gold labeler.
[[nodiscard]] Command evaluate_win_command();

/// `precis inspect`: shows, verifies and compares model files and checkpoints.
[[nodiscard]] Command inspect_command();

}  // namespace precis
