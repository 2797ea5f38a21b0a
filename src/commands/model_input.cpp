#include "commands/model_input.hpp"

#include "base/error.hpp"

namespace precis {

std::optional<Tokenizer> tokenizer_of(const Model& model, const std::string& where) {
  if (model.tokenizer.empty()) {
    return std::nullopt;
  }
  const auto* const bytes = reinterpret_cast<const char*>(model.tokenizer.data());
  auto tokenizer = Tokenizer::from_json({bytes, model.tokenizer.size()}, where + ", tokenizer");
  require(tokenizer.vocabulary() <= model.config.vocabulary,
          "{}: the tokenizer has {} tokens, the model only {}. They do not belong together.", where,
          tokenizer.vocabulary(), model.config.vocabulary);
  return tokenizer;
}

Tokenizer required_tokenizer(const Model& model, const std::string& where) {
  auto tokenizer = tokenizer_of(model, where);
  require(tokenizer.has_value(),
          "{} has no tokenizer, which this command needs. Import the model from a folder with one.",
          where);
  return *std::move(tokenizer);
}

}  // namespace precis
