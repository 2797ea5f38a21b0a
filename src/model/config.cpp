#include "model/config.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"

namespace precis {
namespace {

template <class Enum>
using Words = std::vector<std::pair<std::string, Enum>>;

const Words<ModelKind>& kind_words() {
  static const Words<ModelKind> words{{"language", ModelKind::language},
                                      {"reward", ModelKind::reward},
                                      {"value", ModelKind::value}};
  return words;
}
Words<NormKind> norm_words() {
  return {{"layer_norm", NormKind::layer_norm}, {"rms_norm", NormKind::rms_norm}};
}
Words<PositionKind> position_words() {
  return {{"learned", PositionKind::learned}, {"rotary", PositionKind::rotary}};
}
Words<ActivationKind> activation_words() {
  return {{"gelu_tanh", ActivationKind::gelu_tanh},
          {"gelu_erf", ActivationKind::gelu_erf},
          {"gated_silu", ActivationKind::gated_silu}};
}
Words<AttentionBias> attention_bias_words() {
  return {{"true", AttentionBias::all},
          {"false", AttentionBias::none},
          {"query_key_value", AttentionBias::query_key_value}};
}
Words<ResidualKind> residual_words() {
  return {{"sequential", ResidualKind::sequential}, {"parallel", ResidualKind::parallel}};
}
Words<Initialization> init_words() {
  return {{"gpt2", Initialization::gpt2}, {"scaled", Initialization::scaled}};
}

template <class Enum>
std::string word_of(Enum value, const Words<Enum>& words) {
  for (const auto& [word, meaning] : words) {
    if (meaning == value) {
      return word;
    }
  }
  fail("A model's configuration holds a value without a name.");
}

/// One description of the JSON object, for writing (Visitor assigns to json) and reading (from
/// json).
template <class Config, class Visitor>
void visit_fields(Config& c, Visitor&& field) {
  field("kind", c.kind, kind_words());
  field("family", c.family);
  field("layers", c.layers);
  field("width", c.width);
  field("heads", c.heads);
  field("kv_heads", c.kv_heads);
  field("head_dim", c.head_dim);
  field("mlp_width", c.mlp_width);
  field("context", c.context);
  field("norm", c.norm, norm_words());
  field("norm_epsilon", c.norm_epsilon);
  field("position", c.position, position_words());
  field("rotary_fraction", c.rotary_fraction);
  field("rotary_base", c.rotary_base);
  field("activation", c.activation, activation_words());
  field("attention_bias", c.attention_bias, attention_bias_words());
  field("mlp_bias", c.mlp_bias);
  field("residual", c.residual, residual_words());
  field("tied", c.tied);
  field("init", c.init, init_words());
  field("vocabulary", c.vocabulary);
  field("end_tokens", c.end_tokens);
  field("begin_tokens", c.begin_tokens);
  field("reward_shift", c.reward_shift);
  field("source_dtype", c.source_dtype);
  field("generation_config", c.generation_config);
  field("other_config", c.other_config);
}

struct JsonWriter {
  nlohmann::ordered_json& json;

  template <class T>
  void operator()(const char* name, const T& value) const {
    json[name] = value;
  }
  template <class Enum>
  void operator()(const char* name, Enum value, const Words<Enum>& words) const {
    const std::string word = word_of(value, words);
    // A choice that is mostly yes or no is written as true or false.
    if (word == "true" || word == "false") {
      json[name] = word == "true";
    } else {
      json[name] = word;
    }
  }
};

struct JsonReader {
  const nlohmann::json& json;
  const std::string& where;

  template <class T>
  void operator()(const char* name, T& value) const {
    if (!json.contains(name)) {
      return;  // Written by an earlier version: the default is what it meant.
    }
    try {
      value = json.at(name).get<T>();
    } catch (const nlohmann::json::exception&) {
      fail("{}: the model's configuration has `{}` = {}, which is of the wrong type.", where, name,
           json.at(name).dump());
    }
  }
  template <class Enum>
  void operator()(const char* name, Enum& value, const Words<Enum>& words) const {
    if (!json.contains(name)) {
      return;
    }
    const auto& found = json.at(name);
    const std::string word = found.is_string() ? found.get<std::string>() : found.dump();
    std::string expected;
    for (const auto& [candidate, meaning] : words) {
      if (candidate == word) {
        value = meaning;
        return;
      }
      expected += (expected.empty() ? "" : ", ") + candidate;
    }
    fail("{}: the model's configuration has `{}` = {}; expected one of {}.", where, name,
         found.dump(), expected);
  }
};

void require_positive(std::int64_t value, const char* key) {
  require(value > 0, "model.{} is {}; expected at least 1.", key, value);
}

}  // namespace

std::int64_t ModelConfig::rotary_dims() const {
  if (position != PositionKind::rotary) {
    return 0;
  }
  const auto dims =
      static_cast<std::int64_t>(std::floor(static_cast<double>(head_dim) * rotary_fraction));
  return dims / 2 * 2;
}

bool ModelConfig::ends_with(std::int32_t token) const {
  return std::find(end_tokens.begin(), end_tokens.end(), token) != end_tokens.end();
}

std::int32_t ModelConfig::end_token() const {
  require(!end_tokens.empty(),
          "The model has no end token, which every response needs. Import it with a tokenizer or "
          "with `eos_token_id` in its config.json.");
  return end_tokens.front();
}

std::string_view to_string(ModelKind kind) {
  for (const auto& [word, value] : kind_words()) {
    if (value == kind) {
      return word;
    }
  }
  return "unknown";
}

void complete(ModelConfig& c) {
  require_positive(c.layers, "layers");
  require_positive(c.width, "width");
  require_positive(c.heads, "heads");
  require_positive(c.context, "context");
  if (c.kv_heads == 0) {
    c.kv_heads = c.heads;
  }
  if (c.head_dim == 0) {
    require(c.width % c.heads == 0,
            "model.width is {} and model.heads is {}: the width must be a multiple of the heads, "
            "or model.head_dim be given.",
            c.width, c.heads);
    c.head_dim = c.width / c.heads;
  }
  if (c.mlp_width == 0) {
    c.mlp_width = 4 * c.width;
  }
  require_positive(c.kv_heads, "kv_heads");
  require_positive(c.head_dim, "head_dim");
  require_positive(c.mlp_width, "mlp_width");
  require(
      c.heads % c.kv_heads == 0,
      "model.heads is {} and model.kv_heads is {}: the heads must be a multiple of the key-value "
      "heads.",
      c.heads, c.kv_heads);
  require(c.norm_epsilon > 0 && std::isfinite(c.norm_epsilon),
          "model.norm_epsilon is {}; expected a number above 0.", c.norm_epsilon);
  if (c.position == PositionKind::rotary) {
    require(c.rotary_fraction > 0 && c.rotary_fraction <= 1,
            "model.rotary_fraction is {}; expected a number above 0, at most 1.",
            c.rotary_fraction);
    require(c.rotary_base > 1, "model.rotary_base is {}; expected a number above 1.",
            c.rotary_base);
    require(c.rotary_dims() >= 2,
            "model.rotary_fraction {} of a head of {} dimensions leaves none to rotate; expected "
            "at least 2.",
            c.rotary_fraction, c.head_dim);
  }
  require_positive(c.vocabulary, "vocabulary");
  for (const std::int32_t token : c.end_tokens) {
    require(token >= 0 && token < c.vocabulary,
            "The model's end token {} is outside its vocabulary of {} tokens.", token,
            c.vocabulary);
  }
  for (const std::int32_t token : c.begin_tokens) {
    require(token >= 0 && token < c.vocabulary,
            "The model's begin token {} is outside its vocabulary of {} tokens.", token,
            c.vocabulary);
  }
}

std::string to_json(const ModelConfig& config) {
  nlohmann::ordered_json json;
  visit_fields(config, JsonWriter{json});
  return json.dump();
}

ModelConfig config_from_json(std::string_view text, const std::string& where) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  require(json.is_object(), "{}: the model's configuration is not a JSON object.", where);
  ModelConfig config;
  visit_fields(config, JsonReader{json, where});
  try {
    complete(config);
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
  return config;
}

void add_model_options(OptionTable& table, ModelConfig& c, const std::string& source) {
  table.add("model.family", &c.family,
            {.meaning = "name of the architecture, kept in the model file",
             .source = "precis: random weights"});
  table.add("model.layers", &c.layers,
            {.meaning = "transformer blocks", .source = source, .minimum = 1, .maximum = 1e3});
  table.add("model.width", &c.width,
            {.meaning = "width of the residual stream",
             .source = source,
             .minimum = 1,
             .maximum = 1 << 24});
  table.add("model.heads", &c.heads,
            {.meaning = "attention heads", .source = source, .minimum = 1, .maximum = 1 << 12});
  table.add("model.kv_heads", &c.kv_heads,
            {.meaning = "key and value heads; 0: as many as heads",
             .source = "GPT-2",
             .maximum = 1 << 12});
  table.add("model.head_dim", &c.head_dim,
            {.meaning = "dimensions of each head; 0: width / heads",
             .source = "GPT-2",
             .maximum = 1 << 12});
  table.add("model.mlp_width", &c.mlp_width,
            {.meaning = "width of the MLP; 0: 4 * width", .source = "GPT-2", .maximum = 1 << 22});
  table.add("model.context", &c.context,
            {.unit = "tokens",
             .meaning = "longest sequence",
             .source = "GPT-2",
             .minimum = 1,
             .maximum = 1 << 24});
  table.add("model.norm", &c.norm, norm_words(), {.meaning = "normalisation", .source = "GPT-2"});
  table.add("model.norm_epsilon", &c.norm_epsilon,
            {.meaning = "added to the variance", .source = "GPT-2", .maximum = 1, .above = 0});
  table.add("model.position", &c.position, position_words(),
            {.meaning = "how positions enter", .source = "GPT-2"});
  table.add("model.rotary_fraction", &c.rotary_fraction,
            {.meaning = "part of each head that rotates",
             .source = "Su et al. 2021",
             .maximum = 1,
             .above = 0});
  table.add("model.rotary_base", &c.rotary_base,
            {.meaning = "base of the rotary wavelengths",
             .source = "Su et al. 2021",
             .maximum = 1e30,
             .above = 1});
  table.add("model.activation", &c.activation, activation_words(),
            {.meaning = "activation of the MLP", .source = "GPT-2"});
  table.add("model.attention_bias", &c.attention_bias, attention_bias_words(),
            {.meaning = "biases of the attention's matrices", .source = "GPT-2"});
  table.add("model.mlp_bias", &c.mlp_bias,
            {.meaning = "biases of the MLP's matrices", .source = "GPT-2"});
  table.add(
      "model.residual", &c.residual, residual_words(),
      {.meaning = "attention and MLP one after the other, or side by side", .source = "GPT-2"});
  table.add("model.tied", &c.tied,
            {.meaning = "the output matrix is the token embedding", .source = "GPT-2"});
  table.add("model.init", &c.init, init_words(),
            {.meaning = "deviations of the initial weights", .source = "GPT-2"});
}

}  // namespace precis
