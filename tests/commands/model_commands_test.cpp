// `sample`, `score`, `import` and `export` on small models, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "io/file_damage.hpp"
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

}  // namespace
}  // namespace precis::test
