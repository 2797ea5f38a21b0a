#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "model/families/family.hpp"

namespace precis {
namespace {

/// A file's numbers and words as they are read and written, "1e-05" and 1 too where 1.0 is meant.
bool is_number(const Json& value, double& number) {
  if (!value.is_number()) {
    return false;
  }
  number = value.get<double>();
  return std::isfinite(number);
}

bool is_whole(const Json& value, std::int64_t& number) {
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (!value.is_number_integer() || value > most || value < 1) {
    return false;
  }
  number = value.get<std::int64_t>();
  return true;
}

/// What two configurations differ in, of all that a family's files can say.
std::vector<std::string> differing_keys(const ModelConfig& wanted, const ModelConfig& found) {
  const auto a = Json::parse(to_json(wanted));
  const auto b = Json::parse(to_json(found));
  std::vector<std::string> keys;
  for (const auto& [key, value] : a.items()) {
    if (b.at(key) != value) {
      keys.push_back(fmt::format("model.{} = {}", key, value.dump()));
    }
  }
  return keys;
}

/// The configuration without what is stored elsewhere in a folder, or has no meaning there.
ModelConfig bare(ModelConfig config) {
  const ModelConfig defaults;
  config.family = defaults.family;
  config.init = defaults.init;
  config.end_tokens = {};
  config.begin_tokens = {};
  config.source_dtype = defaults.source_dtype;
  config.generation_config.clear();
  config.other_config.clear();
  if (config.position != PositionKind::rotary) {
    config.rotary_fraction = defaults.rotary_fraction;
    config.rotary_base = defaults.rotary_base;
  }
  return config;
}

Json written(const Family& family, const ModelConfig& config) {
  Json json;
  for (const FamilySetting& setting : family.settings) {
    json[setting.key] = setting.write(config);
  }
  return json;
}

/// What keeps the family from expressing the configuration; empty: nothing does.
std::vector<std::string> obstacles(const Family& family, const ModelConfig& config) {
  return differing_keys(bare(config),
                        bare(read_settings(family, written(family, config), "config.json")));
}

}  // namespace

FamilySetting whole_number(std::string key, Json fallback, std::int64_t ModelConfig::*field) {
  return {
      std::move(key), std::move(fallback), "a whole number of at least 1",
      [field](ModelConfig& config, const Json& value) { return is_whole(value, config.*field); },
      [field](const ModelConfig& config) { return Json(config.*field); }};
}

FamilySetting whole_number_or_null(std::string key, std::int64_t ModelConfig::*field) {
  return {std::move(key), nullptr, "a whole number of at least 1, or null",
          [field](ModelConfig& config, const Json& value) {
            config.*field = 0;
            return value.is_null() || is_whole(value, config.*field);
          },
          [field](const ModelConfig& config) { return Json(config.*field); }};
}

FamilySetting positive_number(std::string key, Json fallback, double ModelConfig::*field) {
  return {std::move(key), std::move(fallback), "a number above 0",
          [field](ModelConfig& config, const Json& value) {
            return is_number(value, config.*field) && config.*field > 0;
          },
          [field](const ModelConfig& config) { return Json(config.*field); }};
}

FamilySetting yes_or_no(std::string key, bool fallback, bool ModelConfig::*field) {
  return {std::move(key), fallback, "true or false",
          [field](ModelConfig& config, const Json& value) {
            if (!value.is_boolean()) {
              return false;
            }
            config.*field = value.get<bool>();
            return true;
          },
          [field](const ModelConfig& config) { return Json(config.*field); }};
}

FamilySetting activation_word(std::string key, std::string fallback,
                              std::vector<std::pair<std::string, ActivationKind>> words) {
  std::vector<std::string> names;
  for (const auto& [word, kind] : words) {
    names.push_back(word);
  }
  return {std::move(key), std::move(fallback), "one of " + joined(names, ", "),
          [words](ModelConfig& config, const Json& value) {
            for (const auto& [word, kind] : words) {
              if (value == word) {
                config.activation = kind;
                return true;
              }
            }
            return false;
          },
          [words](const ModelConfig& config) {
            for (const auto& [word, kind] : words) {
              if (kind == config.activation) {
                return Json(word);
              }
            }
            // Another activation: reading this back shows the difference.
            return Json(words.front().first);
          }};
}

FamilySetting only(std::string key, Json value) {
  const std::string expected = value.dump() + ", which is all that precis supports";
  return {std::move(key), value, expected,
          [value](ModelConfig&, const Json& found) { return found == value; },
          [value](const ModelConfig&) { return value; }};
}

ModelConfig read_settings(const Family& family, const Json& json, const std::string& where) {
  ModelConfig config = family.choices;
  config.family = family.architecture;
  for (const FamilySetting& setting : family.settings) {
    const Json& value = json.contains(setting.key) ? json.at(setting.key) : setting.fallback;
    require(setting.read(config, value), "{}: `{}` is {}; expected {}.", where, setting.key,
            value.dump(), setting.expected);
  }
  try {
    complete(config);
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
  return config;
}

Json write_settings(const Family& family, const ModelConfig& config) {
  const auto keys = obstacles(family, config);
  require(keys.empty(), "A {} cannot have {}.", family.architecture, joined(keys, ", "));
  return written(family, config);
}

const Family& family_for(const ModelConfig& config) {
  std::string reasons;
  for (const Family& family : families()) {
    const auto keys = obstacles(family, config);
    if (keys.empty()) {
      return family;
    }
    reasons += fmt::format(" A {} cannot have {}.", family.architecture, joined(keys, ", "));
  }
  fail("No supported architecture can express this model.{}", reasons);
}

}  // namespace precis
