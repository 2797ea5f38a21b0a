#include "io/safetensors.hpp"

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "io/file_damage.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  return bytes_of(size) + header + data;
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   std::size_t begin, std::size_t end) {
  return fmt::format("\"{}\":{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}", name,
                     dtype, shape, begin, end);
}

TEST(Safetensors, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  std::vector<float> values(6);
  std::iota(values.begin(), values.end(), 0.5F);
  const std::vector<BFloat16> halves{{0x3f80}, {0xc020}, {0x7f80}};
  const std::vector<float> none;
  write_safetensors(folder / "model.safetensors",
                    {{"b.weight", view_of(std::as_const(values).data(), Shape{2, 3})},
                     {"a.halves", view_of(halves)},
                     {"c.none", view_of(none.data(), Shape{0, 4})}});
  for (const auto& path : {folder / "model.safetensors", folder.path()}) {
    const SafetensorsReader reader(path);
    EXPECT_EQ(reader.tensors().size(), 3U);
    EXPECT_EQ(reader.at("b.weight").shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(reader.read_f32("b.weight"), values);
    EXPECT_THAT(reader.read_f32("a.halves"), ElementsAre(1.0F, -2.5F, HUGE_VALF));
    EXPECT_EQ(reader.at("c.none").numel(), 0);
  }
  const std::string content = read_file(folder / "model.safetensors");
  EXPECT_THAT(content, HasSubstr("\"__metadata__\":{\"format\":\"pt\"}"));
  EXPECT_EQ((content.size() - 24 - 6) % 8, 0U) << "the data begin at a multiple of 8";
}

TEST(Safetensors, TheSingleFileWinsOverAnIndex) {
  const TemporaryFolder folder;
  const std::vector<float> old{1, 2};
  const std::vector<float> now{3, 4};
  write_safetensors(folder / "model-1.safetensors", {{"one", view_of(old)}});
  write_safetensors(folder / "model.safetensors", {{"one", view_of(now)}});
  // Also one that nobody could read.
  for (const std::string index : {R"({"weight_map":{"one":"model-1.safetensors"}})",
                                  R"({"weight_map":{"two":"gone"}})", "{"}) {
    overwrite(folder / "model.safetensors.index.json", index);
    const SafetensorsReader reader(folder.path());
    EXPECT_EQ(reader.read_f32("one"), now);
    EXPECT_EQ(reader.source(), "model.safetensors");
    EXPECT_THAT(reader.left_aside(),
                ElementsAre("model-1.safetensors", "model.safetensors.index.json"));
  }
  std::filesystem::remove(folder / "model.safetensors");
  overwrite(folder / "model.safetensors.index.json",
            R"({"weight_map":{"one":"model-1.safetensors"}})");
  const SafetensorsReader indexed(folder.path());
  EXPECT_EQ(indexed.read_f32("one"), old);
  EXPECT_TRUE(indexed.left_aside().empty());
}

TEST(Safetensors, WritesRoundedToNearestEven) {
  const TemporaryFolder folder;
  const std::vector<float> values{1.0F,    -2.5F,         0.0F,  65519.0F, 1.00048828125F,
                                  1.0014F, 5.9604645e-8F, 3e-8F, -1.5e-7F, 6.1e-5F};
  write_safetensors(folder / "half.safetensors",
                    {{"x", view_of(values), WeightDType::f16}, {"y", view_of(values)}});
  const SafetensorsReader half(folder / "half.safetensors");
  EXPECT_EQ(half.at("x").dtype, "F16");
  EXPECT_EQ(half.at("y").dtype, "F32");
  // NumPy's float16 of the same numbers.
  EXPECT_THAT(half.read_f32("x"),
              ElementsAre(1.0F, -2.5F, 0.0F, 65504.0F, 1.0F, 1.0009765625F, 5.9604645e-8F,
                          5.9604645e-8F, -1.7881393e-7F, 6.0975552e-5F));
  write_safetensors(folder / "bf16.safetensors", {{"x", view_of(values), WeightDType::bf16}});
  const SafetensorsReader bf16(folder / "bf16.safetensors");
  EXPECT_EQ(bf16.at("x").dtype, "BF16");
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(bf16.read_f32("x")[i], to_f32(to_bf16(values[i])));
  }
  const std::vector<float> large{1.0F, 65520.0F};
  EXPECT_THAT(
      message_of<Error>([&] {
        write_safetensors(folder / "no", {{"big", view_of(large), WeightDType::f16}});
      }),
      AllOf(HasSubstr("tensor big"), HasSubstr("65520"), HasSubstr("f16"), HasSubstr("65504")));
  const std::vector<float> huge{3.4e38F};
  EXPECT_THAT(message_of<Error>([&] {
                write_safetensors(folder / "no", {{"huge", view_of(huge), WeightDType::bf16}});
              }),
              AllOf(HasSubstr("tensor huge"), HasSubstr("bf16")));
  EXPECT_FALSE(std::filesystem::exists(folder / "no"));
  EXPECT_FALSE(std::filesystem::exists(folder / "no.partial"));
}

TEST(Safetensors, ReadsEveryFloatType) {
  const TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  const auto half = [](std::uint16_t bits) { return bytes_of(bits); };
  overwrite(path, file_of("{" + tensor("h", "F16", "[6]", 0, 12) + "," +
                              tensor("d", "F64", "[]", 12, 20) + "," +
                              tensor("i", "I64", "[1]", 20, 28) + "}",
                          half(0x3c00) + half(0xc100) + half(0x0001) + half(0x7bff) + half(0xfc00) +
                              half(0x8000) + bytes_of(0.1) + bytes_of(std::int64_t{5})));
  const SafetensorsReader reader(path);
  const std::vector<float> h = reader.read_f32("h");
  EXPECT_THAT(h, ElementsAre(1.0F, -2.5F, 5.9604645e-8F, 65504.0F, -HUGE_VALF, 0.0F));
  EXPECT_TRUE(std::signbit(h[5]));
  EXPECT_THAT(reader.read_f32("d"), ElementsAre(0.1F));
  EXPECT_THAT(message_of<Error>([&] { (void)reader.read_f32("i"); }),
              AllOf(HasSubstr("tensor i"), HasSubstr("I64")));
  EXPECT_THAT(message_of<Error>([&] { (void)reader.read_f32("z"); }), HasSubstr("no tensor z"));
}

TEST(Safetensors, ReadsSeveralFilesByIndex) {
  const TemporaryFolder folder;
  const std::vector<float> one{1.0F};
  const std::vector<float> two{2.0F, 2.0F};
  write_safetensors(folder / "model-1.safetensors", {{"one", view_of(one)}});
  write_safetensors(folder / "model-2.safetensors", {{"two", view_of(two)}});
  const auto index = folder / "model.safetensors.index.json";
  overwrite(index, R"({"weight_map":{"one":"model-1.safetensors","two":"model-2.safetensors"}})");
  EXPECT_EQ(SafetensorsReader(folder.path()).read_f32("two"), two);
  EXPECT_EQ(SafetensorsReader(index).read_f32("one"), one);

  overwrite(index, R"({"weight_map":{"one":"model-1.safetensors","two":"model-1.safetensors"}})");
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(index); }),
              AllOf(HasSubstr("model-1.safetensors"), HasSubstr("tensor two")));
  overwrite(index, R"({"weight_map":{"one":"model-3.safetensors"}})");
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(index); }),
              AllOf(HasSubstr("model-3.safetensors"), HasSubstr("does not exist")));
  overwrite(index, R"({"weight_map":{"one":"../model-1.safetensors"}})");
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(index); }),
              HasSubstr("same folder"));
  overwrite(index, "{}");
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(index); }), HasSubstr("weight_map"));
  std::filesystem::remove(index);
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(folder.path()); }),
              HasSubstr("2 files"));
}

TEST(Safetensors, RefusesWhatIsMalformed) {
  const TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  const std::string eight(8, '\0');
  struct Case {
    std::string content;
    std::string message;
  };
  const std::vector<Case> cases{
      {"", "0 bytes"},
      {"short", "5 bytes"},
      {bytes_of(std::uint64_t{100}) + "{}", "truncated"},
      {file_of("[]", ""), "not a JSON object"},
      {file_of("{" + tensor("x", "F32", "[2]", 0, 8) + "," + tensor("x", "F32", "[2]", 0, 8) + "}",
               eight),
       "twice"},
      {file_of("{" + tensor("x", "F32", "[2]", 0, 8) + "}", ""), "do not lie"},
      {file_of("{" + tensor("x", "F32", "[2]", 8, 0) + "}", eight), "do not lie"},
      {file_of("{" + tensor("x", "F32", "[1]", 0, 8) + "}", eight), "takes 4"},
      {file_of("{" + tensor("x", "F31", "[2]", 0, 8) + "}", eight), "F31 is not known"},
      {file_of("{" + tensor("x", "F32", "[-2]", 0, 8) + "}", eight), "found -2"},
      {file_of("{" + tensor("x", "F32", "[2.5]", 0, 8) + "}", eight), "found 2.5"},
      {file_of("{" + tensor("x", "F32", "[1]", 0, 4) + "}", eight), "8 are there"},
      {file_of("{" + tensor("x", "F32", "[1]", 4, 8) + "}", eight), "leave a gap"},
      {file_of("{" + tensor("x", "F32", "[1]", 0, 4) + "," + tensor("y", "F32", "[2]", 0, 8) + "}",
               eight),
       "overlap"},
      {file_of("{\"x\":{\"shape\":[],\"data_offsets\":[0,0]}}", ""), "dtype is missing"},
      {file_of("{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", ""), "shape is missing"},
      {file_of("{\"x\":7}", ""), "dtype is missing"},
      {file_of("{" + tensor("x", "F32", "[4294967296,4294967296]", 0, 8) + "}", eight),
       "too large"},
  };
  for (const Case& c : cases) {
    overwrite(path, c.content);
    EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(path); }),
                AllOf(HasSubstr("x.safetensors"), HasSubstr(c.message)))
        << c.content;
  }
}

TEST(Safetensors, NamesAMissingFile) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(folder / "none"); }),
              HasSubstr("does not exist"));
  EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(folder.path()); }),
              HasSubstr("0 files"));
}

/// Files of others: in $PRECIS_DATA, or beside the source folder.
class SafetensorsOfOthers : public testing::Test {
 protected:
  void SetUp() override {
    PRECIS_NEEDS_DATA("safetensors");
    folder_ = data_path;
  }
  std::filesystem::path folder_;
};

TEST_F(SafetensorsOfOthers, AreAcceptedOrRefusedAsTheirNamesSay) {
  int good = 0;
  int bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("good_")) {
      ++good;
      EXPECT_NO_THROW(SafetensorsReader(entry.path())) << name;
    } else if (name.starts_with("bad_")) {
      ++bad;
      EXPECT_THAT(message_of<Error>([&] { SafetensorsReader reader(entry.path()); }),
                  HasSubstr(name));
    }
  }
  EXPECT_GE(good, 1);
  EXPECT_GE(bad, 1);
}

TEST_F(SafetensorsOfOthers, ReadsAModelInBf16) {
  const SafetensorsReader reader(folder_ / "tiny_random_llama_verl");
  EXPECT_EQ(reader.at("model.embed_tokens.weight").shape, (std::vector<std::int64_t>{16, 128}));
  const std::vector<float> values = reader.read_f32("model.embed_tokens.weight");
  double squares = 0.0;
  for (const float value : values) {
    squares += static_cast<double>(value) * value;
  }
  // Random weights of deviation 0.02, as the model's configuration says.
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(values.size())), 0.02, 0.001);
}

}  // namespace
}  // namespace precis
