#include "data/worker_weights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/tokenizer_trainer.hpp"
#include "io/output_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using ::testing::HasSubstr;

const std::string head = R"({"format": "precis worker weights 1", "weights": )";

class WorkerWeightsOfRows : public testing::Test {
 protected:
  TemporaryFolder folder;
  DataOptions options;

  WorkerWeightsOfRows() {
    options.max_response_tokens = 128;
    std::string rows;
    for (const char* worker : {"ann", "bob", "ann", "cal", "bob"}) {
      const nlohmann::json row{{"info", {{"post", "p"}, {"title", "t"}, {"subreddit", "r"}}},
                               {"summaries", {{{"text", " good"}}, {{"text", " bad"}}}},
                               {"choice", 0},
                               {"worker", worker}};
      rows += row.dump() + "\n";
    }
    folder.file("c.jsonl", rows);
  }
  void weights(const std::string& text) {
    options.worker_weights = folder.file("w.json", head + text + "}");
  }
  Pairs read(RowUse use = RowUse::training) {
    return read_pairs({folder / "c.jsonl"}, "", use, options, TokenizerTrainer().train(257), 1024);
  }
};

TEST_F(WorkerWeightsOfRows, AreThoseOfTheFile) {
  weights(R"({"ann": 0.5, "bob": 0, "cal": 2, "dan": 1})");
  const Pairs found = read();
  ASSERT_EQ(found.pairs.size(), 3U);
  EXPECT_EQ(found.pairs[0].weight, 0.5);
  EXPECT_EQ(found.pairs[2].weight, 2);
  EXPECT_EQ(found.counts.zero_weight, 2);
  EXPECT_THAT(found.counts.describe(), HasSubstr("2 of workers with weight 0"));
  // Validation is not weighted.
  const Pairs valid = read(RowUse::validation);
  EXPECT_EQ(valid.pairs.size(), 5U);
  EXPECT_EQ(valid.pairs[0].weight, 1);
}

TEST_F(WorkerWeightsOfRows, WorkersCanBeExcluded) {
  weights(R"({"ann": 0.5, "cal": 2})");
  options.exclude_workers = {"bob"};
  Pairs found = read();
  EXPECT_EQ(found.pairs.size(), 3U);
  EXPECT_EQ(found.counts.excluded_worker, 2);
  EXPECT_EQ(read(RowUse::validation).pairs.size(), 5U);
  options.valid_excludes_workers = true;
  EXPECT_EQ(read(RowUse::validation).pairs.size(), 3U);
  options.exclude_workers = {"bobb"};
  EXPECT_THAT(message_of<Error>([&] { (void)read(RowUse::validation); }),
              AllOf(HasSubstr("names \"bobb\", but"),
                    HasSubstr("only of ann, bob and cal. Did you mean bob?")));
}

TEST_F(WorkerWeightsOfRows, AWorkerWithoutAWeightIsAnError) {
  weights(R"({"ann": 0.5, "cal": 2})");
  const std::string message = message_of<Error>([&] { (void)read(); });
  EXPECT_THAT(message, HasSubstr("c.jsonl:2: "));
  EXPECT_THAT(message, HasSubstr("no weight for its worker \"bob\""));
}

TEST_F(WorkerWeightsOfRows, AreReadAsTheyWereWritten) {
  const WorkerWeights written{{"ann", 0.1}, {"\"b\n", 0}, {"", 3}};
  write_worker_weights(folder / "out.json", written);
  EXPECT_EQ(read_worker_weights(folder / "out.json"), written);
}

TEST_F(WorkerWeightsOfRows, OtherFilesAreRefused) {
  const auto refused = [&](const std::string& content, const std::string& message) {
    EXPECT_THAT(
        message_of<Error>([&] { (void)read_worker_weights(folder.file("w.json", content)); }),
        HasSubstr(message))
        << content;
  };
  refused("{}", "\"format\": \"precis worker weights 1\" was expected");
  refused("[]", "was expected");
  refused("x", "w.json");
  refused(head + "[]}", "`weights` was expected");
  refused(head + R"({"ann": -1}})", "the weight of worker \"ann\" is -1");
  refused(head + R"({"ann": "1"}})", "the weight of worker \"ann\" is string");
  refused(head + R"({"ann": 0}})", "no worker has a weight above 0");
  EXPECT_THAT(message_of<Error>([&] { (void)read_worker_weights(folder / "none.json"); }),
              HasSubstr("none.json"));
}

}  // namespace
}  // namespace precis
