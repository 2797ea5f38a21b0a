#include "commands/model_input.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/error.hpp"
#include "model/finite.hpp"
#include "train/input_digests.hpp"

namespace precis {

std::optional<Tokenizer> tokenizer_of(const ModelConfig& config,
                                      const std::vector<std::uint8_t>& json,
                                      const std::string& where) {
  if (json.empty()) {
    return std::nullopt;
  }
  const auto* const bytes = reinterpret_cast<const char*>(json.data());
  auto tokenizer = Tokenizer::from_json({bytes, json.size()}, where + ", tokenizer");
  require(tokenizer.vocabulary() <= config.vocabulary,
          "{}: the tokenizer has {} tokens, the model only {}. They do not belong together.", where,
          tokenizer.vocabulary(), config.vocabulary);
  if (!config.end_tokens.empty()) {
    tokenizer.set_end_token(config.end_token());
  }
  if (!config.begin_tokens.empty()) {
    tokenizer.set_begin_token(config.begin_tokens.front());
  }
  tokenizer.set_model_vocabulary(config.vocabulary);
  return tokenizer;
}

std::optional<Tokenizer> tokenizer_of(const Model& model, const std::string& where) {
  return tokenizer_of(model.config, model.tokenizer, where);
}

std::optional<Tokenizer> tokenizer_of(const Model& model, BeginToken begin,
                                      const std::string& where) {
  auto tokenizer = tokenizer_of(model, where);
  return tokenizer ? std::optional(with_begin_token(*tokenizer, begin, where)) : std::nullopt;
}

void set_begin_token(Model& model, BeginToken begin, const std::string& where) {
  if (begin == BeginToken::automatic) {
    return;
  }
  if (const auto tokenizer = tokenizer_of(model, begin, where)) {
    const std::string& json = tokenizer->to_json();
    model.tokenizer.assign(json.begin(), json.end());
  }
}

void require_finite_results(std::span<const float> values, std::string_view results,
                            const std::string& model, const std::string& row) {
  const std::string found = not_finite_text(values);
  require(found.empty(),
          "{}: of the {} that {} gives, {}. Its weights are finite, but its results overflow: the "
          "model cannot be used as it is.",
          row, results, model, found);
}

Tokenizer required_tokenizer(const Model& model, const std::string& where) {
  auto tokenizer = tokenizer_of(model, where);
  require(tokenizer.has_value(),
          "{} has no tokenizer, which this command needs. Import the model from a folder with one.",
          where);
  return *std::move(tokenizer);
}

void agree_on_start(RankGroup& world, std::map<std::string, std::string> digests, bool goes_on) {
  if (goes_on) {
    digests.erase("model");
    digests.erase("tokenizer");
  }
  agree_on_inputs(world, digests);
}

std::vector<std::string> joined_lists(const std::vector<std::vector<std::string>>& lists) {
  std::vector<std::string> all;
  for (const auto& list : lists) {
    std::copy_if(list.begin(), list.end(), std::back_inserter(all),
                 [](const std::string& item) { return !item.empty(); });
  }
  return all;
}

bool is_at_hand(std::string_view key, const std::string& path, bool goes_on, Log& log) {
  if (!goes_on || std::filesystem::exists(path)) {
    return true;
  }
  if (!path.empty()) {
    log.warning("--{} {} is not there; the run goes on from its checkpoint.", key, path);
  }
  return false;
}

}  // namespace precis
