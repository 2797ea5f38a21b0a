#include "base/error.hpp"
#include "data/tokenizer.hpp"
#include "data/tokenizer_json.hpp"
#include "io/jsonl.hpp"
#include "io/model_file.hpp"
#include "io/text_file.hpp"

#include <filesystem>
#include <fstream>

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
  return tokenizer;
}

Tokenizer load_folder(const fs::path& folder) {
  if (const fs::path file = folder / "tokenizer.json"; fs::exists(file)) {
    return Tokenizer::from_json(read_text_file(file.string()), file.string());
  }
  for (const auto& [vocabulary, merges] :
       {std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe")}) {
    const std::string vocabulary_path = (folder / vocabulary).string();
    const std::string merges_path = (folder / merges).string();
    if (fs::exists(vocabulary_path)) {
      return Tokenizer(parse_vocabulary_and_merges(read_text_file(vocabulary_path), vocabulary_path,
                                                   read_text_file(merges_path), merges_path),
                       folder.string());
    }
  }
  fail(
      "{}: the folder has no tokenizer: tokenizer.json, vocab.json with merges.txt, or "
      "encoder.json with vocab.bpe were expected.",
      folder.string());
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
