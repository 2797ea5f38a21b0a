#include "data/prompt_rows.hpp"

#include "data/tokenizer_trainer.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace precis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

PromptRows read(const std::string& text, const PromptRowOptions& options) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = TokenizerTrainer().train(257);
  return read_prompt_rows(folder.file("p.jsonl", text), &tokenizer, options);
}

const PromptRowOptions sampling = {
    .context = 64, .new_tokens = 16, .max_query_tokens = 512, .vocabulary = 257};
const PromptRowOptions scoring = {.with_response = true, .context = 64, .vocabulary = 257};

TEST(PromptRows, EveryKindOfPrompt) {
  const auto rows =
      read(
          "{\"prompt\":\"ab\"}\n{\"prompt_ids\":[1,2,256],\"id\":\"x\"}\n"
          R"({"id":7,"subreddit":"a","title":"b","post":"a long body that must be cut to fit"})",
          sampling)
          .rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].id, "0");
  EXPECT_EQ(rows[0].prompt_ids.size(), 2U);
  EXPECT_EQ(rows[1].id, "x");
  EXPECT_THAT(rows[1].prompt_ids, ElementsAre(1, 2, 256));
  EXPECT_EQ(rows[2].id, "7");
  EXPECT_EQ(rows[2].prompt_ids.size(), 48U);
  EXPECT_TRUE(read("", sampling).rows.empty());
}

TEST(PromptRows, NullIsAbsent) {
  const auto rows = read(
                        "{\"prompt_ids\":null,\"prompt\":\"ab\",\"post\":null,\"id\":null}\n"
                        R"({"prompt":null,"article":null,"post":"c","title":"b","subreddit":"a"})",
                        sampling)
                        .rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].prompt_ids.size(), 2U);
  EXPECT_EQ(rows[0].id, "0");
  const std::string all_null = R"({"prompt_ids":null,"prompt":null,"post":null,"article":null})";
  EXPECT_THAT(message_of<Error>([&] { (void)read(all_null, sampling); }),
              HasSubstr("the row has no field"));
}

TEST(PromptRows, TextBeginsWithTheTokenizersBeginTokenIdsAreTakenAsGiven) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = TokenizerTrainer().train(257).with_begin({7});
  const auto rows = read_prompt_rows(folder.file("p.jsonl",
                                                 "{\"prompt\":\"ab\",\"response\":\"c\"}\n"
                                                 "{\"prompt_ids\":[64],\"response_ids\":[65]}\n"
                                                 "{\"prompt\":\"\",\"response\":\"c\"}"),
                                     &tokenizer, scoring)
                        .rows;
  EXPECT_THAT(rows.at(0).prompt_ids, ElementsAre(7, 64, 65));
  EXPECT_THAT(rows.at(0).response_ids, ElementsAre(66, 256));
  EXPECT_THAT(rows.at(1).prompt_ids, ElementsAre(64));
  EXPECT_THAT(rows.at(1).response_ids, ElementsAre(65));
  EXPECT_THAT(rows.at(2).prompt_ids, ElementsAre(7));
}

TEST(PromptRows, EveryKindOfResponse) {
  const std::string text =
      "{\"prompt\":\"ab\",\"response\":\"c\"}\n{\"prompt_ids\":[1],\"response_ids\":[2,3]}\n"
      R"({"subreddit":"a","title":"b","post":"c","summary":"s"})";
  const auto rows = read(text, scoring).rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].response_ids.size(), 2U);
  EXPECT_EQ(rows[0].response_ids.back(), 256);
  EXPECT_THAT(rows[1].response_ids, ElementsAre(2, 3));
  EXPECT_EQ(rows[2].response_ids.size(), 3U);
  PromptRowOptions open = scoring;
  open.append_end = false;
  EXPECT_EQ(read(text, open).rows[0].response_ids.size(), 1U);
}

TEST(PromptRows, ErrorsNameTheLine) {
  const auto message = [](const std::string& line, const PromptRowOptions& options) {
    return message_of<Error>(
        [&] { (void)read("{\"prompt\":\"a\",\"response\":\"b\"}\n" + line, options); });
  };
  const std::string tall(49, 'a');
  EXPECT_THAT(message("{\"prompt\":\"" + tall + "\"}", sampling),
              HasSubstr("p.jsonl:2: the prompt has 49 tokens; with 16 new ones at most 48"));
  EXPECT_THAT(message("{\"prompt_ids\":[257]}", sampling),
              HasSubstr(":2: the field `prompt_ids` holds 257"));
  EXPECT_THAT(message("{\"prompt_ids\":[-1]}", sampling), HasSubstr("holds -1"));
  EXPECT_THAT(message("{\"prompt_ids\":[1.0]}", sampling), HasSubstr("holds 1.0"));
  EXPECT_THAT(message("{\"prompt_ids\":[]}", sampling), HasSubstr("empty"));
  EXPECT_THAT(message("{\"prompt\":\"\"}", sampling), HasSubstr("empty"));
  EXPECT_THAT(
      message("{\"text\":\"x\"}", sampling),
      AllOf(HasSubstr(":2: the row has the field `text`"), HasSubstr(R"({"prompt": "..."})"),
            HasSubstr(R"({"article": "..."})"), Not(HasSubstr("response"))));
  EXPECT_THAT(message("{}", scoring),
              AllOf(HasSubstr(":2: the row has no field"), HasSubstr(R"("response": " ..."})")));
  EXPECT_THAT(message("{\"prompt\":\"x\"}", scoring), HasSubstr("`response` is missing"));
  EXPECT_THAT(message("{\"prompt\":\"x\",\"response\":\"" + tall + tall + "\"}", scoring),
              HasSubstr("1 + 99 tokens"));
  PromptRowOptions skipping = sampling;
  skipping.skip_bad = true;
  const auto rows = read("{\"prompt_ids\":[999]}\n{\"prompt\":\"a\"}", skipping);
  EXPECT_EQ(rows.bad, 1);
  EXPECT_EQ(rows.rows.at(0).id, "1");
}

}  // namespace
}  // namespace precis
