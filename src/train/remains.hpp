// What a run folder without checkpoints still holds of a run, and must not lose to a new run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace precis {

enum class Remains : std::int64_t { nothing, rows, final_files };

/// What is in a run folder that has no checkpoint: rows in metrics.jsonl, or all `final_files` of
/// `command`. Throws Error for a final model that is not of such a run.
[[nodiscard]] Remains find_remains(const std::filesystem::path& folder, const std::string& command,
                                   const std::vector<std::string>& final_files);

/// Throws UsageError naming the keys that the folder's deck.cfg and `deck`, the one of this
/// command, give other values, unless they say only how the run is done; Error if there is no
/// deck.cfg.
void check_deck_of_remains(const std::filesystem::path& folder, Remains remains,
                           const std::string& deck);

}  // namespace precis
