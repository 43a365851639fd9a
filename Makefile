# What people type. `make help` lists it; plain `make` runs the default, from raw pairs to answers.
.DEFAULT_GOAL := run
.PHONY: run setup setup-tests new plan chat serve push-model board sync repro exp dvc.yaml publish test test-ci test-nightly check format docs bench help clean
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.venv-tests/bin:$(PATH)

CORES ?= all
# An overlay of config.yaml: its path, or its name under experiments/, with or without the ending.
EXPERIMENT :=
overlay := $(if $(EXPERIMENT),$(or $(wildcard $(EXPERIMENT:.yaml=).yaml),experiments/$(EXPERIMENT:.yaml=).yaml))
# Not from the environment, where HOST may be this machine's name, and open a server to others.
HOST := 127.0.0.1
PORT :=
RUN :=
COMMANDS :=
DATA :=
GPU :=
GPUS :=
TO :=
SEND :=
PUBLIC :=

# A word for the shell, whatever is in it; and an option, which no value can be taken for.
quote = '$(subst ','\'',$(1))'
option = $(if $(2),--$(1)=$(call quote,$(2)))

# A name that nothing reads would be ignored in silence.
VARIABLES := CORES EXPERIMENT DATA GPU GPUS COMMANDS RUN HOST PORT TO SEND PUBLIC WORKERS PYTHON TORCH_INDEX
unknown := $(filter-out $(VARIABLES),$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
$(if $(unknown),$(error $(unknown): not known; make takes $(VARIABLES)))

run: find-overlay setup ## Run config.yaml: tiny model, CPU, offline; or an overlay of it: make run EXPERIMENT=mine
	@snakemake --cores $(CORES) $(overlay:%=--configfile %)
	@python -m tools.show_results $(overlay)

.PHONY: find-overlay
find-overlay:
	@[ -z $(call quote,$(overlay)) ] || [ -f $(call quote,$(overlay)) ] || { echo $(call quote,$(overlay))": no such file; there are:" \
	$(notdir $(basename $(wildcard experiments/*.yaml))) >&2; exit 1; }

setup: ## Install both environments and fetch the embedded pairs; does nothing where that is done
	@envs/install.sh workflow .venv
	@envs/install.sh training .venv-training
	@said=$$(dvc pull data.dvc 2>&1) || { echo "$$said"; echo "data/ is not what data.dvc names: keep your pairs \
	elsewhere and name them in data.raw; 'dvc checkout --force data.dvc' brings the embedded ones back" >&2; exit 1; }

setup-tests: setup ## Install what only tests and checks need, too
	@envs/install.sh tests .venv-tests

new: setup ## Write an overlay for your pairs and GPUs: make new EXPERIMENT=mine DATA=my_pairs.jsonl [GPU=a100-80gb GPUS=2]
	@[ -n $(call quote,$(EXPERIMENT)) ] && [ -n $(call quote,$(DATA)) ] || { echo "EXPERIMENT or DATA is missing; such as: make new EXPERIMENT=mine \
	DATA=my_pairs.jsonl" >&2; exit 1; }
	@python -m tools.write_experiment $(call option,gpu,$(GPU)) $(call option,gpus,$(GPUS)) -- $(call quote,$(EXPERIMENT)) $(call quote,$(DATA))

plan: find-overlay setup ## Estimate the cost of a real run: make plan EXPERIMENT=tutorial [COMMANDS=1: and show its commands]
	@python -m tools.plan_run $(or $(overlay),experiments/tutorial.yaml)
ifneq ($(COMMANDS),)
	@echo
	@snakemake --dry-run --printshellcmds --configfile $(or $(overlay),experiments/tutorial.yaml)
endif

chat: setup ## Talk to a run's model, before DPO and after it, side by side: make chat RUN=tiny
	@envs/with-training python -m tools.chat_with_run --run=$(call quote,$(or $(RUN),tiny))

serve: setup ## Serve the tuned model to OpenAI's clients, for this machine only: make serve RUN=tiny [HOST=…] [PORT=8000]
	@envs/with-training python -m tools.serve_run --run=$(call quote,$(or $(RUN),tiny)) $(call option,host,$(HOST)) $(call option,port,$(PORT))

push-model: setup ## Show what would go to a model hub, and send it with SEND=1: make push-model RUN=tiny TO=org/name [PUBLIC=1]
	@envs/with-training python -m tools.push_model --run=$(call quote,$(or $(RUN),tiny)) --to=$(call quote,$(TO)) \
	$(if $(filter 1,$(PUBLIC)),--public) $(if $(filter 1,$(SEND)),--send)

board: setup ## Show the curves of all runs in SwanLab's dashboard, for this machine only: make board [HOST=…] [PORT=5092]
	@envs/with-training python -m tools.open_board $(call option,host,$(HOST)) $(call option,port,$(PORT))

sync: setup ## Upload SwanLab's offline records of finished trainings; needs SWANLAB_API_KEY: make sync [RUN=tiny]
	@envs/with-training python -m tools.sync_runs $(call option,run,$(RUN))

repro: setup ## Compute the published results again in a scratch clone, and compare; takes minutes
	@python -m tools.reproduce_results

exp: find-overlay setup ## Run an overlay as an experiment of DVC: make exp EXPERIMENT=mine
	@[ -n $(call quote,$(overlay)) ] || { echo "EXPERIMENT is missing; such as: make exp EXPERIMENT=tiny-sft" >&2; exit 1; }
	@python -m tools.run_experiment $(overlay)

dvc.yaml: setup ## Write dvc.yaml again from the Snakefile
	@python -m tools.write_dvc_yaml

publish: dvc.yaml ## Run config.yaml, and publish its results; commit dvc.lock and .dvc/store afterwards
	@snakemake --cores $(CORES)
	@rm -rf .dvc/cache/runs .dvc/store
	@dvc commit --force --quiet
	@dvc push --quiet --run-cache
	@python -m tools.draw_pictures

# Tests by the marks of pyproject.toml, in both environments, each file in one of WORKERS processes. A failure in one
# environment does not hide those of the other. Threads that wait sleep, and leave the cores to the other worker; results
# stay the same.
WORKERS := 2
define run_tests
	@export OMP_WAIT_POLICY=passive; failed=0; \
	pytest=(-m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m "$(1)"); \
	.venv-tests/bin/python "$${pytest[@]}" --junitxml=.pytest_cache/workflow.xml $(2) || failed=1; \
	envs/with-training python "$${pytest[@]}" --junitxml=.pytest_cache/training.xml || failed=1; \
	python -m tests.support.slowest .pytest_cache/workflow.xml .pytest_cache/training.xml; \
	exit $$failed
endef

test: check ## Check the code, run the default run once and all fast tests; 9 minutes on two cores
	$(call run_tests,not ci and not nightly)

test-ci: check ## That, and all whose loss would be a wrong result; Slurm's tests need root; 34 minutes on two cores
	@envs/install.sh engines .venv-engines
	@envs/install.sh kubernetes .venv-kubernetes
	@envs/install.sh provenance .venv-provenance
	@envs/install.sh serving .venv-serving
	$(call run_tests,not nightly,--hypothesis-profile=ci)

test-nightly: check ## What those leave out: every setting, more inputs, ms-swift 3.7.0 (2 GB), changes of the code; an hour or more
	@envs/install.sh fidelity .venv-fidelity
	@envs/install.sh mutants .venv-mutants
	@.venv-fidelity/bin/python -m pytest tests/runs/fidelity/test_flags_3_7_0.py
	$(call run_tests,nightly or hypothesis,--hypothesis-profile=nightly -p no:budget)

check: setup-tests ## Check form, types and generated files, changing nothing
	@ruff format --check --quiet .
	@ruff check --quiet .
	@snakefmt --check Snakefile rules 2>/dev/null || { snakefmt --diff Snakefile rules; exit 1; }
	@mypy
	@snakemake --lint
	@python -m tools.document_config --check
	@python -m tools.document_problems --check
	@python -m tools.document_formats --check
	@python -m tools.document_tutorial --check
	@python -m tools.document_hardware --check
	@python -m tools.document_graph --check
	@python -m benchmarks.document_performance --check
	@python -m tools.write_conda_envs --check

format: setup-tests ## Format the code
	@ruff check --fix --quiet .
	@ruff format --quiet .
	@snakefmt Snakefile rules

docs: setup ## Rewrite docs/configuration.md, problems.md, formats.md, tutorial.md, performance.md, and the table of README.md
	@python -m tools.document_config
	@python -m tools.document_problems
	@python -m tools.document_formats
	@python -m tools.document_tutorial
	@python -m tools.document_hardware
	@python -m tools.document_graph
	@python -m benchmarks.document_performance

bench: setup ## Measure the default run, no-ops and the data conversion, as ratios; more than half an hour
	@python -m benchmarks.measure_default_run
	@python -m benchmarks.measure_no_op
	@python -m benchmarks.measure_conversion

help: ## List these targets
	@sed -n 's/^\([a-z.-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.DEFAULT:
	@echo "$@: not a target; make help lists them" >&2; exit 2

clean: ## Remove results/, but neither the data nor the environments
	rm -rf results/*/ .snakemake
