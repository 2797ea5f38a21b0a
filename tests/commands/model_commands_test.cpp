// `sample`, `score`, `import` and `export` on small models, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <limits>
#include <thread>

#include "io/file_damage.hpp"
#include "io/state_file.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

const Fixture& f() {
  static const Fixture fixture;
  return fixture;
}

Outcome precis(Words words) {
  words.insert(words.begin(), PRECIS_PROGRAM);
  return run(words);
}

std::string succeed(const Words& words) {
  const Outcome outcome = precis(words);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  return outcome.output;
}

/// The command fails with one message that holds all of these parts.
void refuse(int status, const Words& parts, const Words& words) {
  const Outcome outcome = precis(words);
  EXPECT_EQ(outcome.status, status) << outcome.output;
  expect_one_message(outcome);
  for (const std::string& part : parts) {
    EXPECT_THAT(outcome.output, HasSubstr(part));
  }
}

Words sample_of(const std::string& output, const Words& more = {}) {
  Words words{"sample",   "--model", f() / "policy.h5",           "--input", f() / "prompts.jsonl",
              "--output", output,    "--sampling.max_new_tokens", "8"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// A step of two rows; a key that is given again wins.
Words sft_of(const std::string& model, const Path& folder) {
  Words words{"sft", "--model", model, "--data.train", f() / "prompts.jsonl", "--run", folder};
  words.insert(words.end(), {"--data.filter", "false", "--train.steps", "1", "--train.batch", "2"});
  words.insert(words.end(), {"--data.max_query_tokens", "100", "--data.max_response_tokens", "60"});
  return words;
}

TEST(ModelCommands, AnOutputIsNotAnInputHoweverItIsSpelled) {
  const std::string model = f() / "kept.h5";
  const std::string rows = f() / "kept.jsonl";
  std::filesystem::copy_file(f() / "policy.h5", model);
  std::filesystem::copy_file(f() / "prompts.jsonl", rows);
  std::filesystem::create_symlink(model, f() / "link.h5");
  const std::string before = text_of(model) + text_of(rows);

  const std::string other_spelling = f() / "./kept.h5";
  for (const std::string& name : {model, other_spelling, std::string(f() / "link.h5")}) {
    refuse(2, {"--output", name, "--model", "same file"},
           {"score", "--model", model, "--input", rows, "--output", name});
  }
  refuse(2, {"--output", "--input"},
         {"sample", "--model", model, "--input", rows, "--output", rows});
  refuse(2, {"--output", "--tokenizer"},
         {"encode", "--tokenizer", model, "--input", rows, "--output", model});
  refuse(2, {"--output", "--input"},
         {"tokenizer", "--input", f() / "kept*", "--vocab", "300", "--output", rows});
  refuse(2, {"--to", "--from"}, {"import", "--from", model, "--to", model});
  refuse(2, {"--to", "--from"}, {"export", "--from", model, "--to", model});
  refuse(2, {"--output", "--a"},
         {"evaluate", "win", "--input", rows, "--a", model, "--output", model});
  refuse(2, {"--json", "--output"},
         {"evaluate", "win", "--input", rows, "--a", model, "--output", f() / "new", "--json",
          f() / "./new"});
  refuse(2, {"--json", "--output"},
         {"evaluate", "win", "--input", rows, "--a", model, "--output", "new", "--json", "./new"});
  overwrite(f() / "deck.cfg", "input = x\ntokenizer = y\n");
  refuse(2, {"--output", "the deck"}, {"encode", f() / "deck.cfg", "--output", f() / "deck.cfg"});
  EXPECT_EQ(text_of(model) + text_of(rows), before);
  EXPECT_FALSE(std::filesystem::exists(f() / "kept.h5.partial"));
}

TEST(ModelCommands, AnOutputIsNoFileOfAFolderThatIsRead) {
  const Path folder = f() / "hf";
  succeed({"export", "--from", f() / "policy.h5", "--to", folder});
  std::filesystem::create_symlink(folder / "config.json", f() / "config_link.json");
  const std::string before =
      text_of(folder / "model.safetensors") + text_of(folder / "config.json");
  for (const Path& name :
       {folder / "model.safetensors", folder / "config.json", f() / "config_link.json"}) {
    refuse(2, {"--to", "--from", "in the folder"}, {"import", "--from", folder, "--to", name});
  }
  refuse(2, {"--output", "--tokenizer"},
         {"encode", "--tokenizer", folder, "--input", f() / "prompts.jsonl", "--output",
          folder / "tokenizer.json"});
  EXPECT_EQ(text_of(folder / "model.safetensors") + text_of(folder / "config.json"), before);
  for (int time = 0; time < 2; ++time) {
    succeed({"import", "--from", folder, "--to", folder / "new.h5"});
  }
}

TEST(ModelCommands, MoreThreadsThanCoresAreWarnedOf) {
  const std::string more = std::to_string(2 * std::thread::hardware_concurrency());
  EXPECT_THAT(succeed({"sample", "--model", f() / "policy.h5", "--prompt", "a", "--threads", more,
                       "--sampling.max_new_tokens", "1"}),
              HasSubstr("threads is " + more + ", but this rank may use "));
}

TEST(ModelCommands, CountsBeyondReasonAreRefused) {
  const Words sample = {"sample", "--model", f() / "policy.h5"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), sample.begin(), sample.end());
    return more;
  };
  refuse(2, {"threads is 100000", "threads are taken", "a core"},
         with({"--prompt", "a", "--threads", "100000"}));
  refuse(2, {"--threads is '2147483647', expected an integer from 0 to 1000000"},
         with({"--prompt", "a", "--threads", "2147483647"}));
  refuse(2, {"--sampling.n is '4611686018427387904', expected an integer from 1 to 1000000"},
         with({"--prompt", "a", "--sampling.n", "4611686018427387904"}));
  refuse(2, {"--seed is '9223372036854775808'", "the largest is 9223372036854775807"},
         with({"--prompt", "a", "--seed", "9223372036854775808"}));
  const std::string rows = f() / "many.jsonl";
  overwrite(rows, [] {
    std::string text;
    for (int row = 0; row < 101; ++row) {
      text += "{\"prompt\":\"a\"}\n";
    }
    return text;
  }());
  refuse(2, {"sampling.n is 1000000, which for 101 rows are 101,000,000 samples"},
         with({"--input", rows, "--output", f() / "many_out.jsonl", "--sampling.n", "1000000"}));
}

TEST(ModelCommands, SayWhatTheyWrote) {
  const std::string samples = f() / "said.jsonl";
  EXPECT_THAT(succeed(sample_of(samples, {"--sampling.n", "2"})),
              AllOf(HasSubstr("32 samples of 16 rows (2 of each) written to " + samples + " in "),
                    HasSubstr("sample 32/32"), Not(HasSubstr("step"))));
  EXPECT_THAT(succeed({"score", "--model", f() / "policy.h5", "--input", samples, "--output",
                       f() / "said_scores.jsonl"}),
              HasSubstr("said_scores.jsonl: 32 rows, in "));
}

TEST(ModelCommands, ANameThatEndsInGzIsGzip) {
  const std::string plain = f() / "plain.jsonl";
  const std::string packed = f() / "packed.jsonl.gz";
  succeed(sample_of(plain));
  succeed(sample_of(packed));
  EXPECT_EQ(text_of(packed).substr(0, 2), "\x1F\x8B");
  for (const std::string& rows : {plain, packed}) {
    succeed({"score", "--model", f() / "policy.h5", "--input", rows, "--output", rows + ".scores"});
  }
  EXPECT_EQ(text_of(plain + ".scores"), text_of(packed + ".scores"));
}

TEST(ModelCommands, AnInterruptedSampleLeavesNothing) {
  const std::string output = f() / "interrupted.jsonl";
  Words words = sample_of(output, {"--sampling.n", "100000"});
  words.insert(words.begin(), PRECIS_PROGRAM);
  Job job(words, f() / "interrupted.log");
  while (job.running() && text_of(f() / "interrupted.log").find("sample 1/") == std::string::npos) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  job.signal_rank(0, SIGINT);
  EXPECT_EQ(job.wait().status, 128 + SIGINT);
  EXPECT_FALSE(std::filesystem::exists(output));
  EXPECT_FALSE(std::filesystem::exists(output + ".partial"));
}

TEST(ModelCommands, APromptIsUtf8) {
  refuse(2, {"--prompt is not UTF-8", "byte 3 "},
         {"sample", "--model", f() / "policy.h5", "--prompt", "ab\xFFz"});
}

TEST(ModelCommands, WhatToGiveInPlaceOfAFolderOrAnotherKind) {
  const auto refuse_model = [](const Words& parts, const std::string& model) {
    refuse(1, parts, {"sample", "--model", model, "--prompt", "a", "--log.level", "warning"});
  };
  succeed({"export", "--from", f() / "policy.h5", "--to", f() / "exported"});
  refuse_model({"Hugging Face folder", "precis import --from " + std::string(f() / "exported")},
               f() / "exported");
  refuse_model({"is a reward model", "expected a language model", "precis import"},
               f() / "reward.h5");
  refuse(1, {"is a language model", "expected a reward model", "precis reward"},
         {"evaluate", "reward", "--model", f() / "policy.h5", "--input", f() / "prompts.jsonl",
          "--log.level", "warning"});
  overwrite(f() / "short.h5", text_of(f() / "policy.h5").substr(0, 20'000));
  refuse_model({"short.h5 is damaged", "truncated"}, f() / "short.h5");
}

TEST(ModelCommands, RowsOfTheOtherKindAndTheWayAroundBadOnes) {
  overwrite(f() / "comparison.jsonl",
            R"({"info":{},"summaries":[{"text":"a"},{"text":"b"}],"choice":0})");
  refuse(1, {"comparison.jsonl:1", "this is a comparison", "`precis reward`", "data.skip_bad"},
         {"sft", "--model", f() / "policy.h5", "--data.train", f() / "comparison.jsonl", "--run",
          f() / "wrong_rows", "--log.level", "warning"});
  refuse(1, {"prompts.jsonl:1", "a comparison", "`precis sft`", "data.skip_bad"},
         {"evaluate", "reward", "--model", f() / "reward.h5", "--input", f() / "prompts.jsonl",
          "--log.level", "warning"});
}

/// The policy with another end token than the one that its tokenizer calls so, by way of a Hugging
/// Face folder.
std::string model_with_end_token(int id) {
  const Path folder = f() / "ends";
  succeed({"export", "--from", f() / "policy.h5", "--to", folder});
  for (const char* name : {"config.json", "generation_config.json"}) {
    auto json = nlohmann::json::parse(text_of(folder / name));
    json["eos_token_id"] = id;
    overwrite(folder / name, json.dump());
  }
  succeed({"import", "--from", folder, "--to", f() / "ends.h5"});
  return f() / "ends.h5";
}

TEST(ModelCommands, AResponseEndsWithTheModelsOwnEndToken) {
  const std::string model = model_with_end_token(65);
  const auto ids_of = [&](const std::string& text) {
    overwrite(f() / "text.jsonl", nlohmann::json{{"text", text}}.dump());
    succeed({"encode", "--tokenizer", model, "--input", f() / "text.jsonl", "--output",
             f() / "ids.jsonl"});
    return read_rows(f() / "ids.jsonl").at(0)["ids"];
  };
  nlohmann::json response = ids_of(" short");
  response.push_back(65);
  const auto score = [&](const nlohmann::json& row) {
    overwrite(f() / "row.jsonl", row.dump());
    succeed(
        {"score", "--model", model, "--input", f() / "row.jsonl", "--output", f() / "score.jsonl"});
    return read_rows(f() / "score.jsonl").at(0)["logprobs"];
  };
  EXPECT_EQ(score({{"prompt", "a post"}, {"response", " short"}}),
            score({{"prompt_ids", ids_of("a post")}, {"response_ids", response}}));
}

/// The policy with this begin token in its configuration, by way of a Hugging Face folder.
std::string model_with_begin_token(int id) {
  const Path folder = f() / "begins";
  succeed({"export", "--from", f() / "policy.h5", "--to", folder});
  auto json = nlohmann::json::parse(text_of(folder / "config.json"));
  json["bos_token_id"] = id;
  overwrite(folder / "config.json", json.dump());
  succeed({"import", "--from", folder, "--to", f() / "begins.h5"});
  return f() / "begins.h5";
}

TEST(ModelCommands, ABeginTokenGoesBeforeQueriesWhereItIsAskedFor) {
  const std::string model = model_with_begin_token(65);
  overwrite(f() / "query.jsonl", R"({"prompt":"a post","response":" short"})"
                                 "\n"
                                 R"({"subreddit":"a","title":"b","post":"c","summary":"d"})");
  const auto prompts_of = [&](const Words& more) {
    Words words{"sample",
                "--model",
                model,
                "--input",
                f() / "query.jsonl",
                "--output",
                f() / "begun",
                "--sampling.max_new_tokens",
                "1"};
    words.insert(words.end(), more.begin(), more.end());
    succeed(words);
    std::vector<nlohmann::json> prompts;
    for (const auto& row : read_rows(f() / "begun")) {
      prompts.push_back(row["prompt_ids"]);
    }
    return prompts;
  };
  const auto plain = prompts_of({});
  const auto begun = prompts_of({"--data.bos", "true"});
  ASSERT_EQ(begun.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    nlohmann::json expected = plain[i];
    expected.insert(expected.begin(), 65);
    EXPECT_EQ(begun[i], expected);
  }
  // The same ids give the same log-probs, and the response has none.
  const auto score = [&](const std::string& row, const Words& more) {
    overwrite(f() / "row.jsonl", row);
    Words words{"score",    "--model",          model, "--input", f() / "row.jsonl",
                "--output", f() / "score.jsonl"};
    words.insert(words.end(), more.begin(), more.end());
    succeed(words);
    return read_rows(f() / "score.jsonl").at(0)["logprobs"];
  };
  const std::string text = R"({"prompt":"a post","response":" short"})";
  overwrite(f() / "text.jsonl", R"({"text":" short"})");
  succeed({"encode", "--tokenizer", model, "--input", f() / "text.jsonl", "--output",
           f() / "ids.jsonl"});
  nlohmann::json response = read_rows(f() / "ids.jsonl").at(0)["ids"];
  response.push_back(
      nlohmann::json::parse(text_of(f() / "begins" / "config.json"))["eos_token_id"]);
  EXPECT_EQ(score(text, {"--data.bos", "true"}),
            score(nlohmann::json{{"prompt_ids", begun[0]}, {"response_ids", response}}.dump(), {}));
  EXPECT_NE(score(text, {"--data.bos", "true"}), score(text, {}));
  refuse(1, {"data.bos is true", "no begin token", "policy.h5"},
         {"sample", "--model", f() / "policy.h5", "--prompt", "a", "--data.bos", "true"});
}

TEST(ModelCommands, WhatIsTrainedWithABeginTokenIsUsedWithIt) {
  const std::string model = model_with_begin_token(65);
  const auto train = [&](const std::string& run, const Words& more) {
    Words words = sft_of(model, f() / run);
    words.insert(words.end(), more.begin(), more.end());
    succeed(words);
    return std::string(f() / run / "model.h5");
  };
  const auto first_id = [&](const std::string& tokenizer, const Words& more = {}) {
    overwrite(f() / "text.jsonl", R"({"text":"a post"})");
    Words words{"encode",           "--tokenizer", tokenizer,        "--input",
                f() / "text.jsonl", "--output",    f() / "ids.jsonl"};
    words.insert(words.end(), more.begin(), more.end());
    succeed(words);
    return read_rows(f() / "ids.jsonl").at(0)["ids"].at(0).get<int>();
  };
  const std::string begun = train("begun_run", {"--data.bos", "true"});
  EXPECT_EQ(first_id(begun), 65);
  EXPECT_NE(first_id(begun, {"--data.bos", "false"}), 65);
  EXPECT_NE(first_id(train("plain_run", {})), 65);
  // An export says so to others, and comes back with it.
  succeed({"export", "--from", begun, "--to", f() / "begun_folder"});
  EXPECT_EQ(first_id(f() / "begun_folder"), 65);
  succeed({"import", "--from", f() / "begun_folder", "--to", f() / "back.h5"});
  EXPECT_EQ(first_id(f() / "back.h5"), 65);
  // A reward model that was trained without would read what it does not know.
  const auto ppo = [&](const Words& more) {
    Words words =
        f().ppo("begun_ppo", 1, {"--policy", begun, "--reference", "", "--train.steps", "1"});
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const Outcome refused = ppo({});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output,
              AllOf(HasSubstr("begin token"), HasSubstr("data.bos"), HasSubstr("reward.h5")));
  const Outcome without = ppo({"--data.bos", "false"});
  EXPECT_EQ(without.status, 0) << without.output;
  EXPECT_NE(first_id(f() / "begun_ppo" / "policy.h5"), 65);
}

TEST(ModelCommands, AnIdWithoutATokenIsNotDrawnUnlessAsked) {
  const std::string model = f() / "padded.h5";
  const auto most_of = [&](const Words& more) {
    Words words{"sample",
                "--model",
                model,
                "--input",
                f() / "prompts.jsonl",
                "--output",
                f() / "drawn",
                "--sampling.max_new_tokens",
                "8"};
    words.insert(words.end(), more.begin(), more.end());
    succeed(words);
    int most = 0;
    for (const auto& row : read_rows(f() / "drawn")) {
      for (const int id : row["response_ids"]) {
        most = std::max(most, id);
      }
    }
    return most;
  };
  for (const char* temperature : {"0", "1"}) {
    EXPECT_LT(most_of({"--sampling.temperature", temperature}), 320);
    EXPECT_GE(most_of({"--sampling.temperature", temperature, "--sampling.padded_vocabulary"}),
              320);
  }
  // What was drawn so decodes to nothing, beside others' text.
  overwrite(f() / "padded_ids", R"({"ids":[64,320,322,65]})");
  const Words decode{"decode",      "--input", f() / "padded_ids", "--output", f() / "padded_text",
                     "--tokenizer", model};
  EXPECT_THAT(succeed(decode), HasSubstr("2 ids of the input: the tokenizer has no token"));
  EXPECT_EQ(read_rows(f() / "padded_text").at(0)["text"], "ab");
  overwrite(f() / "padded_ids", R"({"ids":[64,323]})");
  refuse(1, {"padded_ids:1", "holds 323", "0 to 322"}, decode);
  // ppo draws as sample does, and its log-probs are those of all ids, as the learner's are.
  const auto rollout = run(f().ppo("padded_ppo", 1,
                                   {"--policy", model, "--reward", f() / "padded_reward.h5",
                                    "--reference", "", "--train.steps", "1"}));
  EXPECT_EQ(rollout.status, 0) << rollout.output;
  for (const auto& row : read_rows(f() / "padded_ppo" / "episodes.jsonl")) {
    for (const int id : row["response_ids"]) {
      EXPECT_LT(id, 320);
    }
    EXPECT_EQ(row["rollout_logprobs"], row["logprobs"]);
  }
}

TEST(ModelCommands, WhatIsNotFiniteIsNoResult) {
  const std::string prompts = f() / "prompts.jsonl";
  const std::string scored = f() / "finite.jsonl";
  overwrite(scored, R"({"prompt":"a","response":" b"})");
  const auto refuse_quietly = [](const Words& parts, Words words) {
    words.insert(words.end(), {"--log.level", "warning"});
    refuse(1, parts, words);
  };
  for (const auto& [model, said] :
       {std::pair("poisoned.h5", "tensor blocks/000/mlp/up/weight: 1 of its"),
        std::pair("overflowing.h5", "log-probs")}) {
    const std::string file = f() / model;
    const Words parts{file, said, "NaN or infinite"};
    refuse_quietly(parts, {"sample", "--model", file, "--prompt", "a"});
    refuse_quietly(parts,
                   {"sample", "--model", file, "--input", prompts, "--output", f() / "none"});
    refuse_quietly(parts, {"score", "--model", file, "--input", scored, "--output", f() / "none"});
    EXPECT_FALSE(std::filesystem::exists(f() / "none"));
    EXPECT_FALSE(std::filesystem::exists(f() / "none.partial"));
  }
  refuse_quietly({"finite.jsonl:1"}, {"score", "--model", f() / "overflowing.h5", "--input", scored,
                                      "--output", f() / "none"});
  const Words parts{"poisoned", "is NaN or infinite"};
  refuse_quietly(parts, {"sft", "--model", f() / "poisoned.h5", "--data.train", prompts, "--run",
                         f() / "no_run"});
  refuse_quietly(parts, {"reward", "--model", f() / "poisoned_reward.h5", "--data.train", prompts,
                         "--run", f() / "no_run"});
  refuse_quietly(parts,
                 {"evaluate", "reward", "--model", f() / "poisoned_reward.h5", "--input", prompts});
  refuse(1, parts, {"export", "--from", f() / "poisoned.h5", "--to", f() / "no_folder"});
  EXPECT_FALSE(std::filesystem::exists(f() / "no_folder"));
  refuse(1, {"poisoned.h5, dataset weights/blocks/000/mlp/up/weight", "is NaN or infinite"},
         {"inspect", f() / "poisoned.h5", "--verify"});
  succeed({"inspect", f() / "overflowing.h5", "--verify"});
}

/// Writes a checkpoint anew, with right digests but with a number of this dataset that is none.
void poison(const Path& file, const std::string& path) {
  const StateReader from(file);
  StateWriter to(f() / "poisoned_checkpoint.h5", from.format());
  to.attribute("layout", from.attribute("layout"));
  for (const DatasetInfo& info : from.datasets()) {
    if (info.dtype == "text") {
      to.text(info.path, from.text(info.path));
    } else if (info.dtype == "u8") {
      to.bytes(info.path, from.bytes(info.path));
    } else {
      ASSERT_EQ(info.dtype, "f32") << info.path;
      Shape shape;
      for (const std::int64_t extent : info.shape) {
        shape.append(extent);
      }
      std::vector<float> values(static_cast<std::size_t>(shape.numel()));
      from.tensor(info.path, view_of(values.data(), shape));
      if (info.path == path) {
        values.back() = std::numeric_limits<float>::infinity();
      }
      to.tensor(info.path, view_of(std::as_const(values).data(), shape));
    }
  }
  to.commit();
  std::filesystem::rename(f() / "poisoned_checkpoint.h5", file);
}

TEST(ModelCommands, ACheckpointThatIsNotFiniteIsNotGoneOnFrom) {
  for (const auto& [tensor, said] :
       {std::pair<std::string, std::string>("model/weights/final_norm/bias",
                                            "part model, tensor final_norm/bias"),
        std::pair<std::string, std::string>("model/optimizer/second/embedding/token",
                                            "tensor model/optimizer/second/embedding/token")}) {
    const Path run = f() / ("unfinished_" + tensor.substr(6, 2));
    const auto train = [&](const char* steps) {
      Words words = sft_of(f() / "policy.h5", run);
      words.insert(words.end(), {"--log.level", "warning", "--train.steps", steps});
      return words;
    };
    succeed(train("1"));
    poison(run / "checkpoints/step_000001.h5", tensor);
    refuse(1, {"step_000001.h5", said, "is NaN or infinite"}, train("2"));
    refuse(1, {"dataset " + tensor, "is NaN or infinite"},
           {"inspect", run / "checkpoints/step_000001.h5", "--verify"});
  }
}

}  // namespace
}  // namespace precis::test
