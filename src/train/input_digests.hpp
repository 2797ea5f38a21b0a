// Digests of what a command reads: ranks agree on them, and a run that goes on knows its inputs
// again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/comparisons.hpp"
#include "data/prompt_rows.hpp"
#include "data/row_digest.hpp"
#include "data/tldr.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// The digest of the tokens that are used, whatever the files, their names and their compression.
[[nodiscard]] std::string digest_of(const std::vector<Example>& examples);
/// The digest of what else of the rows appears in results: ids, and for comparisons also texts and
/// policies. Ranks agree on it; a run that goes on does not ask for it.
[[nodiscard]] std::string digest_of_labels(const std::vector<Example>& examples);
[[nodiscard]] std::string digest_of_labels(const std::vector<Pair>& pairs);
/// The digest of the tokens and of the ids, which the results show.
[[nodiscard]] std::string digest_of(const std::vector<PromptRow>& rows);
/// The digest of the tokens and of the choices.
[[nodiscard]] std::string digest_of(const std::vector<Pair>& pairs);
/// The digest of the pairs' weights; "" if all are 1.
[[nodiscard]] std::string digest_of_weights(const std::vector<Pair>& pairs);
/// The digest of a model file's content, from the digests that it stores.
[[nodiscard]] std::string digest_of_model(const std::filesystem::path& file);
[[nodiscard]] std::string digest_of_text(std::string_view text);

/// Collective: throws AgreedError naming key, ranks and hosts unless what each rank has read under
/// the keys has the same digests.
void agree_on_inputs(RankGroup& ranks, const std::map<std::string, std::string>& digests);

}  // namespace precis
