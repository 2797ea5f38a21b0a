// What commands need of a model before they use it: its tokenizer, agreement on it, finite results.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "data/data_options.hpp"
#include "data/tokenizer.hpp"
#include "model/model.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// The model's tokenizer, with the model's end token; nothing if it has none. `where` names the
/// model in errors.
[[nodiscard]] std::optional<Tokenizer> tokenizer_of(const Model& model, const std::string& where);
/// The same of a model's configuration and the bytes of its tokenizer.json.
[[nodiscard]] std::optional<Tokenizer> tokenizer_of(const ModelConfig& config,
                                                    const std::vector<std::uint8_t>& json,
                                                    const std::string& where);

/// The same, with the begin token that `data.bos` asks for.
[[nodiscard]] std::optional<Tokenizer> tokenizer_of(const Model& model, BeginToken begin,
                                                    const std::string& where);
/// Gives a model that is to be trained the tokenizer that `data.bos` asks for: the trained model is
/// then used with the begin token that it was trained with.
void set_begin_token(Model& model, BeginToken begin, const std::string& where);

/// The model's tokenizer, for commands that read text. Throws Error if it has none.
[[nodiscard]] Tokenizer required_tokenizer(const Model& model, const std::string& where);

/// Collective: as agree_on_inputs, on what a training reads. A run that goes on may do without
/// `model` and `tokenizer`, which TrainingRun::check_inputs compares where they are there.
void agree_on_start(RankGroup& world, std::map<std::string, std::string> digests, bool goes_on);

/// The items of all lists, without empty ones.
[[nodiscard]] std::vector<std::string> joined_lists(
    const std::vector<std::vector<std::string>>& lists);

/// Throws Error naming the row if the model's results for it are NaN or infinite: weights that are
/// too large cause that even if each is finite. `results` is a word for them, `model` the file.
void require_finite_results(std::span<const float> values, std::string_view results,
                            const std::string& model, const std::string& row);

/// Whether the file that a run was begun with under this key can be read. A run that goes on does
/// not need it any more, so a missing file is only a warning.
[[nodiscard]] bool is_at_hand(std::string_view key, const std::string& path, bool goes_on,
                              Log& log);

}  // namespace precis
