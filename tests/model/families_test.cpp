// Hugging Face folders in and out.
#include "model/hugging_face/folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

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
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

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
  /// With the dtype that the weights came in.
  void export_to(const fs::path& to, const Model& model) {
    export_folder(device, model, to, source_dtype(model.config));
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
  export_to(temporary / "out", imported.model);
  EXPECT_TRUE(same_files(imported.model, import_folder(device, temporary / "out").model));
  EXPECT_FALSE(fs::exists(temporary / "out.partial"));
  // Once more over itself, but not over a folder with other files.
  export_to(temporary / "out", imported.model);
  EXPECT_TRUE(same_files(imported.model, import_folder(device, temporary / "out").model));
  write_file(temporary / "out" / "thesis.txt", "");
  EXPECT_THAT(message_of<Error>([&] { export_to(temporary / "out", imported.model); }),
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
  export_to(temporary / "out", imported.model);
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
  export_to(temporary / "large", large);
  const Json json = Json::parse(TokenizerTrainer().train(257).to_json());
  write_file(temporary / "large" / "vocab.json", json.at("model").at("vocab").dump());
  write_file(temporary / "large" / "merges.txt", "#version: 0.2\n");
  const Model imported = import_folder(device, temporary / "large").model;
  EXPECT_EQ(imported.config.end_tokens, std::vector<std::int32_t>{256});
  const Tokenizer tokenizer = Tokenizer::from_json(
      {reinterpret_cast<const char*>(imported.tokenizer.data()), imported.tokenizer.size()});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("caf\xC3\xA9")), "caf\xC3\xA9");
  export_to(temporary / "out", imported);
  EXPECT_TRUE(same_files(imported, import_folder(device, temporary / "out").model));
}

TEST_F(GptFolder, ATokenizerLargerThanTheVocabularyIsRefused) {
  write_file(folder / "tokenizer.json", TokenizerTrainer().train(257).to_json());
  EXPECT_THAT(import_error(), AllOf(HasSubstr("ids up to 256"), HasSubstr("37 tokens")));
}

TEST_F(GptFolder, OneRuleForTheEndTokens) {
  const auto import_with = [&](const Json& generation, const Json& config) {
    write("generation_config.json", {{"eos_token_id", generation}});
    Json changed = read("config.json");
    changed["eos_token_id"] = config;
    write("config.json", changed);
    return import();
  };
  using Ends = std::vector<std::int32_t>;
  // generation_config.json wins, the two are not joined, and each choice is said.
  const ImportedModel differing = import_with(5, {6, 7});
  EXPECT_EQ(differing.model.config.end_tokens, Ends{5});
  EXPECT_THAT(differing.notes, Contains(AllOf(HasSubstr("eos_token_id"), HasSubstr("is 5 in "),
                                              HasSubstr("generation_config.json, which is used"),
                                              HasSubstr("6, 7 in "))));
  EXPECT_THAT(import_with(5, 5).notes, Not(Contains(HasSubstr("eos_token_id"))));
  EXPECT_EQ(import_with(nullptr, {6, 7}).model.config.end_tokens, (Ends{6, 7}));
  const ImportedModel twice = import_with({5, 6, 5}, nullptr);
  EXPECT_EQ(twice.model.config.end_tokens, (Ends{5, 6}));
  EXPECT_THAT(twice.notes, Contains(HasSubstr("names 5 more than once")));
  EXPECT_THAT(message_of<Error>([&] {
                (void)import_with({5, 37}, 5);
              }),
              AllOf(HasSubstr("generation_config.json"), HasSubstr("`eos_token_id` 37 is outside"),
                    HasSubstr("37 tokens")));
  EXPECT_THAT(message_of<Error>([&] { (void)import_with(nullptr, 50256); }),
              AllOf(HasSubstr("/config.json"), HasSubstr("50256")));
  EXPECT_THAT(message_of<Error>([&] { (void)import_with(nullptr, -1); }), HasSubstr("-1"));
}

TEST_F(GptFolder, WhatPrecisHasNoUseForComesOutAgain) {
  Json config = read("config.json");
  config["bos_token_id"] = 3;
  config["pad_token_id"] = 4;
  config["resid_pdrop"] = 0.25;
  write("config.json", config);
  write("generation_config.json",
        {{"eos_token_id", {5, 6}}, {"temperature", 0.7}, {"do_sample", true}});
  const Model model = import().model;
  EXPECT_EQ(model.config.begin_tokens, std::vector<std::int32_t>{3});
  save_model(temporary / "model.h5", model.config, model.tokenizer, model.parameters, device);
  export_to(temporary / "out", load_model(device, temporary / "model.h5", {ModelKind::language}));
  const Json generation = Json::parse(read_file(temporary / "out" / "generation_config.json"));
  EXPECT_EQ(generation, Json({{"eos_token_id", {5, 6}},
                              {"bos_token_id", 3},
                              {"temperature", 0.7},
                              {"do_sample", true}}));
  const Json out = Json::parse(read_file(temporary / "out" / "config.json"));
  EXPECT_EQ(out.at("bos_token_id"), 3);
  EXPECT_EQ(out.at("pad_token_id"), 4);
  EXPECT_EQ(out.at("resid_pdrop"), 0.25);
  EXPECT_EQ(out.at("eos_token_id"), Json({5, 6}));
  EXPECT_EQ(out.at("n_layer"), config.at("n_layer"));
}

TEST_F(GptFolder, AModelFileOfAnEarlierVersionIsExported) {
  Model model = import().model;
  model.config.generation_config.clear();
  model.config.other_config.clear();
  model.config.begin_tokens.clear();
  Json before = Json::parse(to_json(model.config));
  for (const char* key : {"generation_config", "other_config", "begin_tokens"}) {
    before.erase(key);
  }
  EXPECT_EQ(config_from_json(before.dump(), "x"), model.config);
  export_to(temporary / "out", model);
  EXPECT_EQ(Json::parse(read_file(temporary / "out" / "config.json")).at("bos_token_id"), nullptr);
}

TEST_F(GptFolder, TheDTypeIsTheSourcesUnlessOneIsChosen) {
  const Model model = import().model;
  const auto dtype_in = [&](const fs::path& exported) {
    const SafetensorsReader reader(exported);
    return reader.tensors().begin()->second.dtype + " " +
           Json::parse(read_file(exported / "config.json")).at("torch_dtype").get<std::string>();
  };
  export_to(temporary / "out", model);
  EXPECT_EQ(dtype_in(temporary / "out"), "BF16 bfloat16");
  export_folder(device, model, temporary / "out", WeightDType::f32);
  EXPECT_EQ(dtype_in(temporary / "out"), "F32 float32");
  export_folder(device, model, temporary / "out", WeightDType::f16);
  EXPECT_EQ(dtype_in(temporary / "out"), "F16 float16");
  EXPECT_EQ(import_folder(device, temporary / "out").model.config.source_dtype, "f16");
  rewrite_weights([](auto& tensors) { tensors.at("transformer.ln_f.weight").second[0] = 1e6F; });
  const Model large = import().model;
  EXPECT_EQ(large.config.source_dtype, "f32");
  EXPECT_THAT(
      message_of<Error>([&] { export_folder(device, large, temporary / "no", WeightDType::f16); }),
      AllOf(HasSubstr("transformer.ln_f.weight"), HasSubstr("65504")));
  EXPECT_FALSE(fs::exists(temporary / "no"));
}

TEST_F(GptFolder, TheSingleFileWinsOverAStaleIndex) {
  const Model expected = import().model;
  for (const char* name : {"model.safetensors.index.json", "model-00001-of-00002.safetensors"}) {
    fs::copy(folder / name, temporary / name);
  }
  rewrite_weights([](auto& tensors) { tensors.at("transformer.ln_f.bias").second[0] += 1.0F; });
  for (const char* name : {"model.safetensors.index.json", "model-00001-of-00002.safetensors"}) {
    fs::copy(temporary / name, folder / name);
  }
  const ImportedModel imported = import();  // of the index, one shard is missing
  EXPECT_NE(device.to_host<float>(imported.model.parameters.flat()),
            device.to_host<float>(expected.parameters.flat()));
  EXPECT_THAT(imported.notes,
              Contains(AllOf(HasSubstr("those of model.safetensors;"),
                             HasSubstr("model.safetensors.index.json"), HasSubstr("left aside"))));
}

TEST_F(GptFolder, WeightsThatAreNotFiniteAreNamed) {
  rewrite_weights([](auto& tensors) {
    auto& values = tensors.at("transformer.h.1.mlp.c_fc.weight").second;
    values[3] = std::numeric_limits<float>::quiet_NaN();
    values[5] = -std::numeric_limits<float>::infinity();
  });
  EXPECT_THAT(import_error(),
              AllOf(HasSubstr("model.safetensors"), HasSubstr("transformer.h.1.mlp.c_fc.weight"),
                    HasSubstr("2 of its 240 elements are NaN or infinite")));
}

TEST_F(GptFolder, ATiedModelMayHaveTheOutputMatrixAlone) {
  const Model expected = import().model;
  rewrite_weights([](auto& tensors) {
    tensors["lm_head.weight"] = tensors.at("transformer.wte.weight");
    tensors.erase("transformer.wte.weight");
  });
  const ImportedModel imported = import();
  EXPECT_TRUE(imported.model.config.tied);
  EXPECT_EQ(device.to_host<float>(imported.model.parameters.flat()),
            device.to_host<float>(expected.parameters.flat()));
  EXPECT_THAT(imported.notes,
              Contains(AllOf(HasSubstr("wte.weight"), HasSubstr("lm_head.weight"))));
  // Of a model that is not tied, both are needed.
  EXPECT_THAT(error_with("tie_word_embeddings", false), HasSubstr("transformer.wte.weight"));
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
  EXPECT_THAT(message_of<Error>([&] { export_to(temporary / "out", model); }),
              AllOf(HasSubstr("model.position"), HasSubstr("model.kv_heads = 1")));
  EXPECT_FALSE(fs::exists(temporary / "out"));
  const Model plain = make_model(device, tiny_config(), {}, 1);
  export_to(temporary / "out", plain);
  const Model back = import_folder(device, temporary / "out").model;
  EXPECT_EQ(back.config.family, "GPT2LMHeadModel");
  EXPECT_EQ(device.to_host<float>(back.parameters.flat()),
            device.to_host<float>(plain.parameters.flat()));
}

}  // namespace
}  // namespace precis
