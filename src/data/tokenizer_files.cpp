#include "base/error.hpp"
#include "data/tokenizer.hpp"
#include "data/tokenizer_json.hpp"
#include "io/jsonl.hpp"
#include "io/model_file.hpp"
#include "io/text_file.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace precis {
namespace {

namespace fs = std::filesystem;

bool is_hdf5(const std::string& path) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1A\n";
  std::ifstream file(path, std::ios::binary);
  std::string begin(signature.size(), '\0');
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return file.gcount() == static_cast<std::streamsize>(begin.size()) && begin == signature;
}

Tokenizer load_model_file(const std::string& path) {
  const ModelReader model(path);
  const std::vector<std::uint8_t> bytes = model.tokenizer();
  require(!bytes.empty(),
          "{}: the model has no tokenizer (it was imported without one). Give a tokenizer.json or "
          "a folder with one.",
          model.where());
  auto tokenizer = Tokenizer::from_json(
      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
      model.where() + ", /tokenizer");
  const auto config = parse_json(model.config(), model.where() + ", /config");
  if (const auto ends = config.value("end_tokens", std::vector<std::int32_t>{}); !ends.empty()) {
    tokenizer.set_end_token(ends.front());
  }
  if (const auto begins = config.value("begin_tokens", std::vector<std::int32_t>{});
      !begins.empty()) {
    tokenizer.set_begin_token(begins.front());
  }
  tokenizer.set_model_vocabulary(config.value("vocabulary", std::int64_t{0}));
  return tokenizer;
}

/// A vocabulary and its merges in files of their own.
struct VocabularyFiles {
  const char* vocabulary;
  const char* merges;

  [[nodiscard]] bool vocabulary_is_in(const fs::path& folder) const {
    return fs::exists(folder / vocabulary);
  }
  [[nodiscard]] bool are_in(const fs::path& folder) const {
    return vocabulary_is_in(folder) && fs::exists(folder / merges);
  }
  [[nodiscard]] TokenizerParts read(const fs::path& folder) const {
    const std::string first = (folder / vocabulary).string();
    const std::string second = (folder / merges).string();
    return parse_vocabulary_and_merges(read_text_file(first), first, read_text_file(second),
                                       second);
  }
  [[nodiscard]] std::string names() const { return std::string(vocabulary) + " and " + merges; }
};

constexpr VocabularyFiles gpt2_files{"vocab.json", "merges.txt"};
constexpr VocabularyFiles openai_files{"encoder.json", "vocab.bpe"};

/// Notes on the files beside the source that was used; none if they have the same content, as in
/// most folders that have both.
void note_left_aside(TokenizerParts& parts, const fs::path& folder, const VocabularyFiles& files,
                     const std::string& used) {
  if (!files.vocabulary_is_in(folder)) {
    return;
  }
  std::string reason = "differ from it";
  try {
    const TokenizerParts others = files.read(folder);
    bool same = others.merges == parts.merges && others.tokens.size() <= parts.tokens.size();
    for (std::size_t id = 0; same && id < others.tokens.size(); ++id) {
      same = others.tokens[id].empty() || others.tokens[id] == parts.tokens[id];
    }
    if (same) {
      return;
    }
  } catch (const Error&) {
    reason = "cannot be read";
  }
  parts.notes.push_back(fmt::format("{}: the tokenizer is that of {}; {} {} and were left aside.",
                                    folder.string(), used, files.names(), reason));
}

/// A value of tokenizer_config.json; null if the file lacks it or there is no such file.
nlohmann::json setting(const fs::path& folder, const char* key) {
  const fs::path file = folder / "tokenizer_config.json";
  if (!fs::exists(file)) {
    return nullptr;
  }
  const auto json = parse_json(read_text_file(file.string()), file.string());
  const nlohmann::json* found = json.is_object() ? find_field(json, key) : nullptr;
  return found == nullptr ? nlohmann::json() : *found;
}

/// The begin token that a tokenizer_config.json names.
std::optional<std::string> begin_setting(const fs::path& folder) {
  nlohmann::json token = setting(folder, "bos_token");
  if (token.is_object()) {
    token = token.value("content", nlohmann::json());
  }
  return token.is_string() ? std::optional(token.get<std::string>()) : std::nullopt;
}

std::optional<std::int32_t> find_token(const TokenizerParts& parts, const std::string& content) {
  const auto found = std::find(parts.tokens.begin(), parts.tokens.end(), content);
  return found == parts.tokens.end() || content.empty()
             ? std::nullopt
             : std::optional(static_cast<std::int32_t>(found - parts.tokens.begin()));
}

/// A vocabulary with merges says nothing of a begin token; `add_bos_token` beside it does, as the
/// reference library has it.
void add_begin_setting(TokenizerParts& parts, const fs::path& folder) {
  if (setting(folder, "add_bos_token") != true) {
    return;
  }
  const std::string content = begin_setting(folder).value_or("<|endoftext|>");
  const auto token = find_token(parts, content);
  require(token.has_value(),
          "{}: tokenizer_config.json asks for the begin token \"{}\" (`add_bos_token`), which the "
          "vocabulary does not have.",
          folder.string(), content);
  parts.begin = {*token};
}

void note_begin_setting(TokenizerParts& parts, const fs::path& folder) {
  const nlohmann::json add = setting(folder, "add_bos_token");
  if (add.is_boolean() && add.get<bool>() == parts.begin.empty()) {
    parts.notes.push_back(fmt::format(
        "{}: `add_bos_token` is {} in tokenizer_config.json, but the post_processor of "
        "tokenizer.json {} and is what counts, as in the reference library. data.bos sets it.",
        folder.string(), add.dump(),
        parts.begin.empty() ? "adds no begin token" : "adds a begin token"));
  }
}

Tokenizer load_json_of(const fs::path& folder) {
  const fs::path file = folder / "tokenizer.json";
  std::string bytes = read_text_file(file.string());
  TokenizerParts parts = parse_tokenizer_json(bytes, file.string());
  for (const VocabularyFiles& others : {gpt2_files, openai_files}) {
    note_left_aside(parts, folder, others, "tokenizer.json");
  }
  note_begin_setting(parts, folder);
  return Tokenizer(std::move(parts), file.string(), std::move(bytes));
}

Tokenizer load_vocabulary_of(const fs::path& folder) {
  require(gpt2_files.vocabulary_is_in(folder) || openai_files.vocabulary_is_in(folder),
          "{}: the folder has no tokenizer: tokenizer.json, vocab.json with merges.txt, or "
          "encoder.json with vocab.bpe were expected.",
          folder.string());
  const bool first = gpt2_files.are_in(folder) ||
                     (gpt2_files.vocabulary_is_in(folder) && !openai_files.are_in(folder));
  const VocabularyFiles& used = first ? gpt2_files : openai_files;
  TokenizerParts parts = used.read(folder);
  note_left_aside(parts, folder, first ? openai_files : gpt2_files, used.names());
  add_begin_setting(parts, folder);
  return Tokenizer(std::move(parts), folder.string());
}

Tokenizer load_folder(const fs::path& folder) {
  Tokenizer tokenizer =
      fs::exists(folder / "tokenizer.json") ? load_json_of(folder) : load_vocabulary_of(folder);
  if (const auto content = begin_setting(folder)) {
    if (const auto token = find_token(tokenizer.parts(), *content)) {
      tokenizer.set_begin_token(*token);
    }
  }
  return tokenizer;
}

}  // namespace

Tokenizer Tokenizer::from_json(std::string_view bytes, const std::string& name) {
  return Tokenizer(parse_tokenizer_json(bytes, name), name, std::string(bytes));
}

Tokenizer Tokenizer::load(const InputFile& file) {
  if (fs::is_directory(file.path)) {
    return load_folder(file.path);
  }
  if (fs::is_regular_file(file.path) && is_hdf5(file.path)) {
    return load_model_file(file.path);
  }
  return from_json(read_text_file(file), file.name);
}

}  // namespace precis
