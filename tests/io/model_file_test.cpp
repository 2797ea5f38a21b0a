#include "io/model_file.hpp"

#include "io/file_damage.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void write_part(StateWriter& writer, const std::string& part, const std::string& config) {
  const std::vector<float> weight{1.0F, 2.0F, 3.0F, 4.0F};
  write_model_head(
      writer, part, config,
      part == "value" ? std::vector<std::uint8_t>{} : std::vector<std::uint8_t>{'{', '}'});
  writer.tensor(weight_path(part, "head/weight"), view_of(weight.data(), Shape{2, 2}));
  writer.tensor(weight_path(part, "final_norm/weight"), view_of(weight));
}

std::filesystem::path write_model(const TemporaryFolder& folder) {
  StateWriter writer(folder / "model.h5", model_format);
  write_part(writer, "", "{\"kind\":\"language\"}");
  writer.commit();
  return folder / "model.h5";
}

std::filesystem::path write_checkpoint(const TemporaryFolder& folder,
                                       const std::vector<std::string>& parts) {
  StateWriter writer(folder / "step_000001.h5", checkpoint_format);
  writer.text("state", "{\"step\":1}");
  for (const std::string& part : parts) {
    write_part(writer, part, "{\"part\":\"" + part + "\"}");
    const std::vector<float> moment(4);
    writer.tensor(first_moment_path(part, "head/weight"), view_of(moment));
  }
  writer.commit();
  return folder / "step_000001.h5";
}

TEST(ModelFile, ReadsAModelFile) {
  const TemporaryFolder folder;
  const ModelReader model(write_model(folder));
  EXPECT_EQ(model.part(), "");
  EXPECT_EQ(model.config(), "{\"kind\":\"language\"}");
  EXPECT_THAT(model.tokenizer(), ElementsAre('{', '}'));
  ASSERT_EQ(model.weights().size(), 2U);
  EXPECT_EQ(model.weights()[0].path, "final_norm/weight");
  EXPECT_EQ(model.weights()[1].shape, (Extents{2, 2}));
  EXPECT_TRUE(model.has_weight("head/weight"));
  EXPECT_FALSE(model.has_weight("head/bias"));
  std::vector<float> weight(4);
  model.weight("head/weight", view_of(weight.data(), Shape{2, 2}));
  EXPECT_THAT(weight, ElementsAre(1.0F, 2.0F, 3.0F, 4.0F));
}

TEST(ModelFile, HasTheLayoutOfTheContract) {
  const TemporaryFolder folder;
  const StateReader file(write_model(folder));
  EXPECT_TRUE(file.contains("config"));
  EXPECT_TRUE(file.contains("tokenizer"));
  EXPECT_TRUE(file.contains("weights/head/weight"));
  EXPECT_EQ(file.info("config").dtype, "text");
  EXPECT_THAT(file.info("config").shape, IsEmpty());
  EXPECT_EQ(file.info("tokenizer").dtype, "u8");
  EXPECT_EQ(first_moment_path("policy", "head/weight"), "policy/optimizer/first/head/weight");
  EXPECT_EQ(second_moment_path("", "head/weight"), "optimizer/second/head/weight");
}

TEST(ModelFile, OfACheckpointIsItsPolicyOrThePartNamed) {
  const TemporaryFolder folder;
  const auto path = write_checkpoint(folder, {"policy", "value"});
  EXPECT_EQ(ModelReader(path).part(), "policy");
  EXPECT_EQ(ModelReader(path).where(), path.string() + ", part policy");
  const ModelReader value(path, "value");
  EXPECT_EQ(value.config(), "{\"part\":\"value\"}");
  EXPECT_THAT(value.tokenizer(), IsEmpty());
  EXPECT_EQ(value.weights().size(), 2U);
}

TEST(ModelFile, OfACheckpointWithOnePartIsThatOne) {
  const TemporaryFolder folder;
  EXPECT_EQ(ModelReader(write_checkpoint(folder, {"model"})).part(), "model");
}

TEST(ModelFile, NamesThePartsThereAre) {
  const TemporaryFolder folder;
  const auto path = write_checkpoint(folder, {"policy", "value"});
  EXPECT_THAT(message_of<Error>([&] { ModelReader model(path, "reward"); }),
              AllOf(HasSubstr("no part 'reward'"), HasSubstr("policy, value")));
  const auto model_path = write_model(folder);
  EXPECT_THAT(message_of<Error>([&] { ModelReader model(model_path, "value"); }),
              HasSubstr("no part 'value'"));
  const auto others = write_checkpoint(folder, {"a", "b"});
  EXPECT_THAT(message_of<Error>([&] { ModelReader model(others); }), HasSubstr("name one of a, b"));
}

TEST(ModelFile, RefusesAFileWithoutModel) {
  const TemporaryFolder folder;
  StateWriter(folder / "nothing.h5", model_format).commit();
  EXPECT_THAT(message_of<Error>([&] { ModelReader model(folder / "nothing.h5"); }),
              AllOf(HasSubstr("nothing.h5"), HasSubstr("holds no model")));
}

}  // namespace
}  // namespace precis
