// `precis export`: a language model to a Hugging Face folder.
#include <fmt/format.h>

#include <string>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "model/hugging_face/folder.hpp"

namespace precis {
namespace {

enum class ExportDType : std::uint8_t { source, f32, bf16, f16 };

struct ExportOptions {
  std::string from;
  std::string to;
  std::string part;
  ExportDType dtype = ExportDType::source;
};

void add_options(OptionTable& table, ExportOptions& options) {
  table.add("from", &options.from,
            {.meaning = "model file or checkpoint of a language model",
             .required = true,
             .file = FileUse::input});
  table.add("to", &options.to,
            {.meaning = "folder to write; an earlier export there is replaced",
             .required = true,
             .file = FileUse::output});
  table.add("part", &options.part,
            {.meaning = "part of a checkpoint to use; empty: its policy or only model"});
  table.add("dtype", &options.dtype,
            {{"source", ExportDType::source},
             {"f32", ExportDType::f32},
             {"bf16", ExportDType::bf16},
             {"f16", ExportDType::f16}},
            {.meaning = "of the weights, which are f32 in the model file; source: as they were "
                        "imported, f32 for a model of precis' own",
             .source = "precis"});
}

struct ChosenDType {
  WeightDType dtype;
  const char* name;
};

ChosenDType chosen(ExportDType wanted, const ModelConfig& config) {
  if (wanted == ExportDType::bf16 ||
      (wanted == ExportDType::source && source_dtype(config) == WeightDType::bf16)) {
    return {WeightDType::bf16, "bf16"};
  }
  if (wanted == ExportDType::f16 ||
      (wanted == ExportDType::source && source_dtype(config) == WeightDType::f16)) {
    return {WeightDType::f16, "f16"};
  }
  return {WeightDType::f32, "f32"};
}

ExitStatus run(Context&, ExportOptions& options) {
  Device device = open_device("cpu");
  const Model model = load_model(device, options.from, {ModelKind::language}, options.part);
  const auto [dtype, name] = chosen(options.dtype, model.config);
  export_folder(device, model, options.to, dtype);
  fmt::print("{}: {} parameters written to {}, as {}{}.\n", options.from,
             with_thousands(parameter_count(model.config)), options.to, name,
             options.dtype == ExportDType::source && dtype != WeightDType::f32
                 ? ", which they were imported from; --dtype f32 keeps every bit"
                 : "");
  return ExitStatus::done;
}

}  // namespace

Command export_command() {
  return make_command<ExportOptions>("export", "turn a model file into a Hugging Face folder",
                                     Mpi::no, add_options, run);
}

}  // namespace precis
