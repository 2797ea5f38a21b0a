// Hugging Face folders in and out.
#include "model/families.hpp"

#include <gtest/gtest.h>

#include "data/tokenizer.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/compare.hpp"
#include "io/output_file.hpp"
#include "io/safetensors.hpp"
#include "model/backends.hpp"
#include "model/evaluator.hpp"
#include "model/families/family.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// A copy of the reference folder that a test may spoil.
class GptFolder : public testing::Test {
 protected:
  GptFolder() { fs::copy(golden_folder() / "gpt2_folder", folder, fs::copy_options::recursive); }

  [[nodiscard]] ImportedModel import() { return import_folder(device, folder); }
  [[nodiscard]] std::string import_error() {
    return message_of<Error>([&] { (void)import(); });
  }
  [[nodiscard]] Json read(const char* name) const { return Json::parse(read_file(folder / name)); }
  void write(const char* name, const Json& json) const { write_file(folder / name, json.dump()); }
  /// The import's message when config.json has this value.
  [[nodiscard]] std::string error_with(const char* key, const Json& value) {
    Json json = read("config.json");
    const Json before = json;
    json[key] = value;
    write("config.json", json);
    std::string message = import_error();
    write("config.json", before);
    return message;
  }
  /// Replaces the weights by one file, all tensors as `change` leaves them.
  void rewrite_weights(
      const std::function<void(std::map<std::string, std::pair<Shape, std::vector<float>>>&)>&
          change) {
    std::map<std::string, std::pair<Shape, std::vector<float>>> tensors;
    {
      const SafetensorsReader reader(folder);
      for (const auto& [name, entry] : reader.tensors()) {
        Shape shape;
        for (const std::int64_t extent : entry.shape) {
          shape.append(extent);
        }
        tensors[name] = {shape, reader.read_f32(name)};
      }
    }
    change(tensors);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.path().string().find("safetensors") != std::string::npos) {
        fs::remove(entry.path());
      }
    }
    std::vector<SafetensorsTensor> list;
    for (const auto& [name, tensor] : tensors) {
      list.push_back({name, view_of(tensor.second.data(), tensor.first)});
    }
    write_safetensors(folder / "model.safetensors", list);
  }
  [[nodiscard]] bool same_files(const Model& a, const Model& b) {
    save_model(temporary / "a.h5", a.config, a.tokenizer, a.parameters, device);
    save_model(temporary / "b.h5", b.config, b.tokenizer, b.parameters, device);
    return differences(StateReader(temporary / "a.h5"), StateReader(temporary / "b.h5")).empty();
  }

  Device device{cpu::backend};
  TemporaryFolder temporary;
  fs::path folder = temporary / "gpt2";
};

TEST_F(GptFolder, GivesTheLogitsOfTransformers) {
  const ImportedModel imported = import();
  const ModelConfig& config = imported.model.config;
  EXPECT_EQ(config.family, "GPT2LMHeadModel");
  EXPECT_EQ(config.source_dtype, "bf16");
  EXPECT_EQ(config.activation, ActivationKind::gelu_erf);
  EXPECT_EQ(config.mlp_width, 20);
  EXPECT_EQ(config.end_tokens, std::vector<std::int32_t>{36});
  EXPECT_TRUE(imported.model.tokenizer.empty());
  ASSERT_EQ(imported.notes.size(), 1U);
  EXPECT_THAT(imported.notes[0], HasSubstr("no tokenizer"));

  const Json expected = read("expected.json");
  PackedBatch batch;
  batch.append(expected.at("ids").get<std::vector<std::int32_t>>());
  const Parameters& parameters = imported.model.parameters;
  Stage stage(device, config, parameters);
  Workspace workspace(device);
  const ConstView hidden = stage.infer(parameters, workspace, batch);
  const auto logits =
      device.to_host<float>(LanguageHead(device, parameters).logits(parameters, workspace, hidden));
  std::size_t i = 0;
  for (const Json& row : expected.at("logits")) {
    for (const Json& logit : row) {
      EXPECT_NEAR(logits[i++], logit.get<double>(), 1e-5);
    }
  }
  EXPECT_EQ(i, logits.size());
}

TEST_F(GptFolder, ComesBackEqualFromItsExport) {
  const ImportedModel imported = import();
  export_folder(device, imported.model, temporary / "out");
  EXPECT_TRUE(same_files(imported.model, import_folder(device, temporary / "out").model));
  EXPECT_FALSE(fs::exists(temporary / "out.partial"));
  // Once more over itself, but not over a folder with other files.
  export_folder(device, imported.model, temporary / "out");
  EXPECT_TRUE(same_files(imported.model, import_folder(device, temporary / "out").model));
  write_file(temporary / "out" / "thesis.txt", "");
  EXPECT_THAT(message_of<Error>([&] { export_folder(device, imported.model, temporary / "out"); }),
              HasSubstr("thesis.txt"));
  EXPECT_FALSE(fs::exists(temporary / "out.partial"));
}

TEST_F(GptFolder, UntiedWithSeveralEndTokensComesBackToo) {
  rewrite_weights([](auto& tensors) {
    tensors["lm_head.weight"] = tensors.at("transformer.wpe.weight");
    auto& [shape, values] = tensors["lm_head.weight"];
    shape = {37, 12};
    values.resize(37 * 12);
  });
  Json config = read("config.json");
  config["tie_word_embeddings"] = false;
  config["eos_token_id"] = {5, 36};
  write("config.json", config);
  fs::remove(folder / "generation_config.json");
  EXPECT_THAT(error_with("tie_word_embeddings", true), HasSubstr("differ"));
  const ImportedModel imported = import();
  EXPECT_FALSE(imported.model.config.tied);
  EXPECT_EQ(imported.model.config.end_tokens, (std::vector<std::int32_t>{5, 36}));
  EXPECT_EQ(imported.model.config.source_dtype, "f32");
  export_folder(device, imported.model, temporary / "out");
  EXPECT_TRUE(same_files(imported.model, import_folder(device, temporary / "out").model));
}

TEST_F(GptFolder, NamesMayLackThePrefixAndBuffersAreIgnored) {
  const Model expected = import().model;
  rewrite_weights([](auto& tensors) {
    std::map<std::string, std::pair<Shape, std::vector<float>>> bare;
    const std::string prefix = "transformer.";
    for (auto& [name, tensor] : tensors) {
      bare[name.starts_with(prefix) ? name.substr(prefix.size()) : name] = std::move(tensor);
    }
    bare["lm_head.weight"] = bare.at("wte.weight");
    bare["h.1.attn.bias"] = {{1}, {1.0F}};
    bare["h.0.attn.masked_bias"] = {{1}, {-1e4F}};
    tensors = std::move(bare);
  });
  const Model found = import().model;
  EXPECT_EQ(device.to_host<float>(found.parameters.flat()),
            device.to_host<float>(expected.parameters.flat()));
}

TEST_F(GptFolder, OlderTokenizerFilesBecomeATokenizerJson) {
  const Model large = make_model(device, tiny_config([](ModelConfig& c) {
                                   c.vocabulary = 300;
                                   c.end_tokens = {};
                                 }),
                                 {}, 1);
  export_folder(device, large, temporary / "large");
  const Json json = Json::parse(TokenizerTrainer().train(257).to_json());
  write_file(temporary / "large" / "vocab.json", json.at("model").at("vocab").dump());
  write_file(temporary / "large" / "merges.txt", "#version: 0.2\n");
  const Model imported = import_folder(device, temporary / "large").model;
  EXPECT_EQ(imported.config.end_tokens, std::vector<std::int32_t>{256});
  const Tokenizer tokenizer = Tokenizer::from_json(
      {reinterpret_cast<const char*>(imported.tokenizer.data()), imported.tokenizer.size()});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("caf\xC3\xA9")), "caf\xC3\xA9");
  export_folder(device, imported, temporary / "out");
  EXPECT_TRUE(same_files(imported, import_folder(device, temporary / "out").model));
}

TEST_F(GptFolder, ATokenizerLargerThanTheVocabularyIsRefused) {
  write_file(folder / "tokenizer.json", TokenizerTrainer().train(257).to_json());
  EXPECT_THAT(import_error(), AllOf(HasSubstr("ids up to 256"), HasSubstr("37 tokens")));
}

TEST_F(GptFolder, EndTokensOutsideTheVocabularyAreLeftOut) {
  fs::remove(folder / "generation_config.json");
  Json config = read("config.json");
  config["eos_token_id"] = 50256;
  write("config.json", config);
  const ImportedModel imported = import();
  EXPECT_TRUE(imported.model.config.end_tokens.empty());
  EXPECT_THAT(imported.notes, testing::Contains(HasSubstr("50256")));
  export_folder(device, imported.model, temporary / "out");
  EXPECT_TRUE(same_files(imported.model, import_folder(device, temporary / "out").model));
}

TEST_F(GptFolder, SettingsThatAreNotSupportedAreNamed) {
  for (const char* key :
       {"scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention"}) {
    EXPECT_THAT(error_with(key, true), AllOf(HasSubstr(key), HasSubstr("config.json")));
  }
  EXPECT_THAT(error_with("scale_attn_weights", false), HasSubstr("scale_attn_weights"));
  EXPECT_THAT(error_with("activation_function", "relu"),
              AllOf(HasSubstr("\"relu\""), HasSubstr("gelu_new")));
  EXPECT_THAT(error_with("n_layer", "two"), HasSubstr("`n_layer` is \"two\""));
  EXPECT_THAT(error_with("n_head", 5), HasSubstr("config.json: model.width is 12"));
  EXPECT_THAT(error_with("architectures", Json::array({"MambaForCausalLM"})),
              AllOf(HasSubstr("MambaForCausalLM"), HasSubstr("GPT2LMHeadModel")));
  EXPECT_THAT(error_with("quantization_config", Json::object()), HasSubstr("quantization"));
}

TEST_F(GptFolder, TensorsThatDoNotFitAreNamed) {
  EXPECT_THAT(error_with("n_layer", 3),
              AllOf(HasSubstr("lacks 12 of"), HasSubstr("transformer.h.2.ln_1.weight")));
  EXPECT_THAT(error_with("n_layer", 1), HasSubstr("transformer.h.1."));
  EXPECT_THAT(error_with("vocab_size", 40),
              AllOf(HasSubstr("wte.weight"), HasSubstr("(37, 12)"), HasSubstr("(40, 12)")));
  fs::remove(folder / "model-00002-of-00002.safetensors");
  EXPECT_THAT(import_error(), HasSubstr("model-00002-of-00002.safetensors"));
  EXPECT_THAT(message_of<Error>([&] { (void)import_folder(device, temporary / "nowhere"); }),
              HasSubstr("does not exist"));
  EXPECT_THAT(message_of<Error>([&] { (void)import_folder(device, folder / "config.json"); }),
              HasSubstr("is a file"));
}

TEST_F(GptFolder, WhatTheFamilyCannotExpressIsNotExported) {
  const Model model = make_model(device, tiny_config([](ModelConfig& c) {
                                   c.position = PositionKind::rotary;
                                   c.kv_heads = 1;
                                 }),
                                 {}, 1);
  EXPECT_THAT(message_of<Error>([&] { export_folder(device, model, temporary / "out"); }),
              AllOf(HasSubstr("model.position"), HasSubstr("model.kv_heads = 1")));
  EXPECT_FALSE(fs::exists(temporary / "out"));
  const Model plain = make_model(device, tiny_config(), {}, 1);
  export_folder(device, plain, temporary / "out");
  const Model back = import_folder(device, temporary / "out").model;
  EXPECT_EQ(back.config.family, "GPT2LMHeadModel");
  EXPECT_EQ(device.to_host<float>(back.parameters.flat()),
            device.to_host<float>(plain.parameters.flat()));
}

}  // namespace
}  // namespace precis
