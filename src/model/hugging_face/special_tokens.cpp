#include "model/hugging_face/special_tokens.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.hpp"

namespace precis {
namespace {

using Ids = std::vector<std::int64_t>;

/// The ids of a key that holds a number, a list or null, each once.
Ids read_ids(const FolderFile& file, const char* key, std::vector<std::string>& notes) {
  if (!file.json.contains(key) || file.json.at(key).is_null()) {
    return {};
  }
  const Json& found = file.json.at(key);
  Ids ids;
  for (const Json& id : found.is_array() ? found : Json::array({found})) {
    require(id.is_number_integer(), "{}: `{}` is {}; expected a token id, a list of ids, or null.",
            file.path, key, found.dump());
    const auto value = id.get<std::int64_t>();
    if (std::find(ids.begin(), ids.end(), value) == ids.end()) {
      ids.push_back(value);
    } else {
      notes.push_back(
          fmt::format("{}: `{}` names {} more than once; it counts once.", file.path, key, value));
    }
  }
  return ids;
}

/// What was chosen, and the file that says so.
struct Choice {
  Ids ids;
  const FolderFile* file;
};

Choice choose(const char* key, const FolderFile& generation, const FolderFile& config,
              std::vector<std::string>& notes) {
  const Ids first = read_ids(generation, key, notes);
  const Ids second = read_ids(config, key, notes);
  if (first.empty()) {
    return {second, &config};
  }
  if (!second.empty() && first != second) {
    notes.push_back(fmt::format("`{}` is {} in {}, which is used, and {} in {}.", key,
                                fmt::join(first, ", "), generation.path, fmt::join(second, ", "),
                                config.path));
  }
  return {first, &generation};
}

}  // namespace

void set_special_tokens(ModelConfig& to, const FolderFile& generation, const FolderFile& config,
                        std::vector<std::string>& notes) {
  const auto fits = [&](std::int64_t id) { return id >= 0 && id < to.vocabulary; };
  const Choice ends = choose("eos_token_id", generation, config, notes);
  for (const std::int64_t id : ends.ids) {
    require(fits(id),
            "{}: `eos_token_id` {} is outside the vocabulary of {} tokens. Set it to the id of the "
            "token that ends a text, or to null if there is none.",
            ends.file->path, id, to.vocabulary);
    to.end_tokens.push_back(static_cast<std::int32_t>(id));
  }
  const Choice begins = choose("bos_token_id", generation, config, notes);
  require(begins.ids.size() <= 1, "{}: `bos_token_id` is {}; expected one token id, or null.",
          begins.file->path, fmt::join(begins.ids, ", "));
  for (const std::int64_t id : begins.ids) {
    if (fits(id)) {
      to.begin_tokens.push_back(static_cast<std::int32_t>(id));
    } else {
      notes.push_back(fmt::format(
          "{}: `bos_token_id` {} is outside the vocabulary of {} tokens and was left out.",
          begins.file->path, id, to.vocabulary));
    }
  }
}

}  // namespace precis
