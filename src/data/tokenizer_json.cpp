#include "data/tokenizer_json.hpp"

#include "base/error.hpp"
#include "data/byte_alphabet.hpp"
#include "io/jsonl.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace precis {
namespace {

using nlohmann::json;

constexpr std::int64_t most_tokens = std::int64_t{1} << 24;

/// Ids by the token's text as the file writes it.
using TokenIds = std::unordered_map<std::string, std::int32_t>;

const json& member(const json& object, const char* key, const std::string& name) {
  static const json nothing;
  require(object.is_object(), "{}: a JSON object was expected, found {}.", name,
          object.type_name());
  const json* found = find_field(object, key);
  return found == nullptr ? nothing : *found;
}

bool flag(const json& object, const char* key, bool otherwise, const std::string& name) {
  const json& value = member(object, key, name);
  require(value.is_null() || value.is_boolean(), "{}: `{}` is {}; expected true or false.", name,
          key, value.type_name());
  return value.is_null() ? otherwise : value.get<bool>();
}

std::int32_t checked_id(const json& value, const std::string& token, const std::string& name) {
  require(value.is_number_integer() && value >= 0 && value < most_tokens,
          "{}: the token \"{}\" has the id {}; expected a whole number from 0 to {}.", name, token,
          value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 40),
          most_tokens - 1);
  return value.get<std::int32_t>();
}

void set_token(TokenizerParts& parts, std::int32_t id, const std::string& bytes,
               const std::string& name) {
  const auto at = static_cast<std::size_t>(id);
  if (parts.tokens.size() <= at) {
    parts.tokens.resize(at + 1);
  }
  require(!bytes.empty(), "{}: the token with the id {} is empty.", name, id);
  require(parts.tokens[at].empty() || parts.tokens[at] == bytes,
          "{}: two tokens have the id {}: \"{}\" and \"{}\".", name, id,
          to_alphabet(parts.tokens[at]), to_alphabet(bytes));
  parts.tokens[at] = bytes;
}

TokenIds read_vocabulary(TokenizerParts& parts, const json& vocabulary, const std::string& name) {
  require(vocabulary.is_object() && !vocabulary.empty(),
          "{}: the vocabulary is {}; expected an object of tokens and ids.", name,
          vocabulary.empty() && vocabulary.is_object() ? "empty" : vocabulary.type_name());
  TokenIds ids;
  for (const auto& [token, value] : vocabulary.items()) {
    const std::int32_t id = checked_id(value, token, name);
    const auto bytes = from_alphabet(token);
    require(
        bytes.has_value() || token.size() != 1,
        "{}: the token {} is a byte outside GPT-2's byte alphabet; a byte-level BPE tokenizer was "
        "expected.",
        name, id);
    set_token(parts, id, bytes.value_or(token), name);
    ids.emplace(token, id);
  }
  return ids;
}

void add_merge(TokenizerParts& parts, const TokenIds& ids, const std::string& left,
               const std::string& right, const std::string& where) {
  const auto find = [&](const std::string& token) {
    const auto found = ids.find(token);
    require(found != ids.end(),
            "{}: the merge of \"{}\" and \"{}\" needs the token \"{}\", which is not in the "
            "vocabulary.",
            where, left, right, token);
    return found->second;
  };
  parts.merges.push_back({find(left), find(right), find(left + right)});
}

void add_merge_line(TokenizerParts& parts, const TokenIds& ids, std::string_view line,
                    const std::string& where) {
  const auto space = line.find(' ');
  require(space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
              line.find(' ', space + 1) == std::string_view::npos,
          "{}: \"{}\" is not a merge; expected two tokens with a space between.", where,
          line.substr(0, 80));
  add_merge(parts, ids, std::string(line.substr(0, space)), std::string(line.substr(space + 1)),
            where);
}

void read_merges(TokenizerParts& parts, const json& merges, const TokenIds& ids,
                 const std::string& name) {
  require(merges.is_array(), "{}: `model.merges` is {}; expected a list.", name,
          merges.type_name());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const json& merge = merges[i];
    const std::string where = fmt::format("{}: model.merges[{}]", name, i);
    if (merge.is_string()) {
      add_merge_line(parts, ids, merge.get_ref<const std::string&>(), where);
    } else {
      require(merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string(),
              "{}: a merge is a text \"a b\" or a pair of texts; found {}.", where,
              merge.type_name());
      add_merge(parts, ids, merge[0].get<std::string>(), merge[1].get<std::string>(), where);
    }
  }
}

AddedToken read_added_token(const json& entry, const std::string& name) {
  const json& content = member(entry, "content", name);
  require(content.is_string() && !content.get_ref<const std::string&>().empty(),
          "{}: an added token has no `content`.", name);
  AddedToken token{.content = content.get<std::string>()};
  token.id = checked_id(member(entry, "id", name), token.content, name);
  token.special = flag(entry, "special", false, name);
  token.normalized = flag(entry, "normalized", !token.special, name);
  for (const char* feature : {"single_word", "lstrip", "rstrip"}) {
    require(!flag(entry, feature, false, name),
            "{}: the added token \"{}\" has `{}`, which precis does not support.", name,
            token.content, feature);
  }
  return token;
}

/// The ids that the reference library gives to added tokens, in the order of the file's list.
class AddedIds {
 public:
  explicit AddedIds(const TokenIds& vocabulary)
      : vocabulary_(vocabulary), next_(static_cast<std::int32_t>(vocabulary.size())) {}

  std::int32_t of(const std::string& content) {
    if (const auto found = vocabulary_.find(content); found != vocabulary_.end()) {
      return found->second;
    }
    const auto [place, is_new] = added_.emplace(content, next_);
    next_ += is_new ? 1 : 0;
    return place->second;
  }

 private:
  const TokenIds& vocabulary_;
  TokenIds added_;
  std::int32_t next_;
};

void read_added(TokenizerParts& parts, const json& added, const TokenIds& ids,
                const std::string& name) {
  require(added.is_null() || added.is_array(), "{}: `added_tokens` is {}; expected a list.", name,
          added.type_name());
  AddedIds added_ids(ids);
  for (const json& entry : added) {
    AddedToken token = read_added_token(entry, name);
    if (const std::int32_t id = added_ids.of(token.content); id != token.id) {
      parts.notes.push_back(fmt::format(
          "{}: the added token \"{}\" has the id {} there, but {} by the rule of the reference "
          "library (the vocabulary's id, else the next one), which is used.",
          name, token.content, token.id, id));
      token.id = id;
    }
    if (ids.count(token.content) != 0) {
      // Here is the text itself, which the vocabulary writes in its alphabet.
      parts.tokens[static_cast<std::size_t>(token.id)] = token.content;
    }
    set_token(parts, token.id, token.content, name);
    std::erase_if(parts.added,
                  [&](const AddedToken& before) { return before.content == token.content; });
    parts.added.push_back(std::move(token));
  }
}

/// Throws Error unless a tokenizer is of the kind that is read, saying which that is.
template <class... Args>
void require_kind(bool condition, const std::string& name, fmt::format_string<Args...> what,
                  Args&&... args) {
  if (!condition) {
    fail(
        "{}: {} is not supported: precis reads byte-level BPE with GPT-2's splitting rule. Take a "
        "model with such a tokenizer; for a model from random weights, `precis tokenizer` trains "
        "one.",
        name, fmt::format(what, std::forward<Args>(args)...));
  }
}

/// The steps of a part of the pipeline: itself, or those of a Sequence.
std::vector<json> steps_of(const json& part, const char* key, const char* list,
                           const std::string& name) {
  if (part.is_null()) {
    return {};
  }
  require(part.is_object(), "{}: `{}` is {}; expected an object.", name, key, part.type_name());
  if (part.value("type", json()) != "Sequence") {
    return {part};
  }
  const json& steps = member(part, list, name);
  require(steps.is_array(), "{}: `{}.{}` is {}; expected a list.", name, key, list,
          steps.type_name());
  return {steps.begin(), steps.end()};
}

std::string type_of(const json& step, const std::string& name) {
  const json& type = member(step, "type", name);
  return type.is_string() ? type.get<std::string>() : "without a type";
}

/// The ids that a TemplateProcessing puts before a single text; transformers 5 writes one without
/// any into every file.
std::vector<std::int32_t> read_template(const TokenizerParts& parts, const json& step,
                                        const std::string& name) {
  const json& single = member(step, "single", name);
  require(single.is_array(), "{}: `post_processor.single` is {}; expected a list.", name,
          single.type_name());
  std::vector<std::int32_t> begin;
  bool has_text = false;
  for (const json& piece : single) {
    if (piece.is_object() && piece.contains("Sequence")) {
      require(!has_text, "{}: the post_processor has the text twice, which is not supported.",
              name);
      has_text = true;
      continue;
    }
    const json& special = member(piece, "SpecialToken", name);
    require(special.is_object() && special.contains("id") && special["id"].is_string(),
            "{}: the post_processor has {}; expected a `SpecialToken` or a `Sequence`.", name,
            piece.dump());
    const auto token = special["id"].get<std::string>();
    require(!has_text,
            "{}: the post_processor adds \"{}\" after a text, which is not supported: precis adds "
            "the end token to responses itself. Take it out of `post_processor.single`.",
            name, token);
    const json& known = member(step, "special_tokens", name);
    const json& entry = known.is_object() ? member(known, token.c_str(), name) : known;
    const json& ids = entry.is_object() ? member(entry, "ids", name) : entry;
    require(ids.is_array() && !ids.empty(),
            "{}: the post_processor's `special_tokens` has no `ids` for \"{}\".", name, token);
    for (const json& id : ids) {
      begin.push_back(checked_id(id, token, name));
      const auto at = static_cast<std::size_t>(begin.back());
      require(at < parts.tokens.size() && !parts.tokens[at].empty(),
              "{}: the post_processor adds the id {} (\"{}\"), which is no token.", name,
              begin.back(), token);
    }
  }
  require(has_text, "{}: the post_processor leaves the text out.", name);
  return begin;
}

void read_pipeline(TokenizerParts& parts, const json& file, const std::string& name) {
  for (const json& step :
       steps_of(member(file, "normalizer", name), "normalizer", "normalizers", name)) {
    require_kind(type_of(step, name) == "NFC", name, "the normalizer {}", type_of(step, name));
    parts.nfc = true;
  }
  const auto splits =
      steps_of(member(file, "pre_tokenizer", name), "pre_tokenizer", "pretokenizers", name);
  require_kind(!splits.empty(), name, "a tokenizer without a pre_tokenizer");
  for (const json& step : splits) {
    require_kind(type_of(step, name) == "ByteLevel", name, "the pre_tokenizer {}",
                 type_of(step, name));
    parts.add_prefix_space = flag(step, "add_prefix_space", true, name);
    parts.split = flag(step, "use_regex", true, name);
  }
  for (const json& step : steps_of(member(file, "decoder", name), "decoder", "decoders", name)) {
    require_kind(type_of(step, name) == "ByteLevel", name, "the decoder {}", type_of(step, name));
  }
}

void read_post_processor(TokenizerParts& parts, const json& file, const std::string& name) {
  const json& post_processor = member(file, "post_processor", name);
  for (const json& step : steps_of(post_processor, "post_processor", "processors", name)) {
    const std::string type = type_of(step, name);
    require(type == "ByteLevel" || type == "TemplateProcessing",
            "{}: the post_processor {} is not supported; precis reads tokenizers with none, "
            "ByteLevel or TemplateProcessing. Write one of these into the file that does the same.",
            name, type);
    if (type == "TemplateProcessing") {
      // A later one goes around what an earlier one has made.
      const std::vector<std::int32_t> begin = read_template(parts, step, name);
      parts.begin.insert(parts.begin.begin(), begin.begin(), begin.end());
    }
  }
}

void check_model(const json& model, const std::string& name) {
  const std::string type = type_of(model, name);
  require_kind(type == "BPE" || (type == "without a type" && model.contains("merges")), name,
               "the tokenizer's model {}", type);
  const json& dropout = member(model, "dropout", name);
  require_kind(dropout.is_null() || dropout == 0, name, "BPE dropout");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json& value = member(model, key, name);
    require_kind(value.is_null() || value == json(""), name, "a `{}`", key);
  }
  require_kind(!flag(model, "ignore_merges", false, name), name, "`ignore_merges`");
}

}  // namespace

TokenizerParts parse_tokenizer_json(std::string_view bytes, const std::string& name) {
  const json file = parse_json(bytes, name);
  const json& model = member(file, "model", name);
  require(model.is_object(), "{}: there is no `model`; a Hugging Face tokenizer.json was expected.",
          name);
  check_model(model, name);
  TokenizerParts parts;
  read_pipeline(parts, file, name);
  const TokenIds ids = read_vocabulary(parts, member(model, "vocab", name), name);
  read_merges(parts, member(model, "merges", name), ids, name);
  read_added(parts, member(file, "added_tokens", name), ids, name);
  read_post_processor(parts, file, name);
  return parts;
}

TokenizerParts parse_vocabulary_and_merges(std::string_view vocabulary,
                                           const std::string& vocabulary_name,
                                           std::string_view merges,
                                           const std::string& merges_name) {
  TokenizerParts parts;
  const TokenIds ids =
      read_vocabulary(parts, parse_json(vocabulary, vocabulary_name), vocabulary_name);
  for (std::int64_t number = 1; !merges.empty(); ++number) {
    const auto end = merges.find('\n');
    std::string_view line = merges.substr(0, end);
    merges.remove_prefix(end == std::string_view::npos ? merges.size() : end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    // The first line of the files that people have names the format: "#version: 0.2".
    if (line.empty() || (number == 1 && line.starts_with("#version"))) {
      continue;
    }
    add_merge_line(parts, ids, line, fmt::format("{}:{}", merges_name, number));
  }
  if (const auto end = ids.find("<|endoftext|>"); end != ids.end()) {
    parts.added.push_back({.content = end->first, .id = end->second, .special = true});
  }
  return parts;
}

}  // namespace precis
