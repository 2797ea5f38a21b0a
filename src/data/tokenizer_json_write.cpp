#include <map>
#include <nlohmann/json.hpp>

#include "data/byte_alphabet.hpp"
#include "data/tokenizer_json.hpp"

namespace precis {
namespace {

using Ordered = nlohmann::ordered_json;

Ordered byte_level_step(bool add_prefix_space, bool split) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", split}};
}

/// The token as a tokenizer.json writes it: an added one as it is, others in the byte alphabet.
std::string written_token(const TokenizerParts& parts, std::int32_t id) {
  for (const AddedToken& token : parts.added) {
    if (token.id == id) {
      return token.content;
    }
  }
  return to_alphabet(parts.tokens[static_cast<std::size_t>(id)]);
}

/// Puts `begin` before a text, and before both of a pair; with none it is ByteLevel alone.
Ordered post_processor(const TokenizerParts& parts, const std::vector<std::int32_t>& begin) {
  if (begin.empty()) {
    return byte_level_step(true, parts.split);
  }
  const auto sequence = [](const char* id, int type) {
    return Ordered{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  Ordered single = Ordered::array();
  Ordered second = Ordered::array();
  Ordered special = Ordered::object();
  for (const std::int32_t id : begin) {
    const std::string token = written_token(parts, id);
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    second.push_back({{"SpecialToken", {{"id", token}, {"type_id", 1}}}});
    special[token] = {{"id", token}, {"ids", Ordered::array({id})}, {"tokens", {token}}};
  }
  single.push_back(sequence("A", 0));
  second.push_back(sequence("B", 1));
  Ordered pair = single;
  pair.insert(pair.end(), second.begin(), second.end());
  Ordered steps = Ordered::array({byte_level_step(true, parts.split)});
  steps.push_back({{"type", "TemplateProcessing"},
                   {"single", std::move(single)},
                   {"pair", std::move(pair)},
                   {"special_tokens", std::move(special)}});
  return {{"type", "Sequence"}, {"processors", std::move(steps)}};
}

}  // namespace

std::string with_template(std::string_view bytes, const TokenizerParts& parts,
                          const std::vector<std::int32_t>& begin) {
  // Not the ordered kind, whose search for each key would be quadratic in the vocabulary.
  auto file = nlohmann::json::parse(bytes);
  file["post_processor"] = post_processor(parts, begin);
  return file.dump(2) + "\n";
}

std::string write_tokenizer_json(const TokenizerParts& parts) {
  const auto byte_level = [&](bool add_prefix_space) {
    return byte_level_step(add_prefix_space, parts.split);
  };
  Ordered added = Ordered::array();
  std::map<std::int32_t, const AddedToken*> added_by_id;
  for (const AddedToken& token : parts.added) {
    added_by_id.emplace(token.id, &token);
  }
  for (const auto& [id, token] : added_by_id) {
    added.push_back({{"id", id},
                     {"content", token->content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", token->normalized},
                     {"special", token->special}});
  }
  // Pushed in order: keys are unique, so the search that ordered_json's operator[] makes for each
  // would only take time (quadratic in the vocabulary).
  Ordered vocabulary = Ordered::object();
  auto& entries = vocabulary.get_ref<Ordered::object_t&>();
  const auto written = [&](std::size_t id) {
    const auto token = added_by_id.find(static_cast<std::int32_t>(id));
    return token != added_by_id.end() ? token->second->content : to_alphabet(parts.tokens[id]);
  };
  for (std::size_t id = 0; id < parts.tokens.size(); ++id) {
    if (!parts.tokens[id].empty()) {
      entries.push_back({written(id), Ordered(static_cast<std::int64_t>(id))});
    }
  }
  Ordered merges = Ordered::array();
  for (const Merge& merge : parts.merges) {
    merges.push_back(written(static_cast<std::size_t>(merge.left)) + " " +
                     written(static_cast<std::size_t>(merge.right)));
  }
  const Ordered file = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", std::move(added)},
      {"normalizer", parts.nfc ? Ordered::object({{"type", "NFC"}}) : Ordered(nullptr)},
      {"pre_tokenizer", byte_level(parts.add_prefix_space)},
      {"post_processor", post_processor(parts, parts.begin)},
      {"decoder", byte_level(true)},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", std::move(vocabulary)},
        {"merges", std::move(merges)}}}};
  return file.dump(2) + "\n";
}

}  // namespace precis
