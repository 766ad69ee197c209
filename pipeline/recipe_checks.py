"""What no single key of a recipe shows: names that refer to nothing, settings that contradict each other."""

from collections.abc import Iterator, Sequence

from pipeline.core.errors import RecipeError
from pipeline.core.known import HELD_OUT, models
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import LocalTable, OpenAITable, ReplayTable, TeacherTable


def refused(which: str, problems: Sequence[str], instead: str = "") -> RecipeError:
    """The error of settings with problems, all of them listed. which: "FILE has". instead: what works, for the hint."""
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    listing = "".join(f"\n  - {problem}" for problem in problems)
    return RecipeError(f"{which} {count}:{listing}", hint=f"nothing was run{instead}", problems=problems)


def unknown_teacher(key: str, name: str, names: Sequence[str]) -> str:
    """What is said of a name that is none of a recipe's teachers, `names`. key: the setting or option that has it."""
    return f"{key} = {name!r}: no teacher of that name; teachers are {', '.join(names) or 'none'}"


def inconsistencies(recipe: Recipe) -> list[str]:
    """What no single field shows: names that refer to nothing, shares that add to nothing."""
    problems = []
    names = [teacher.name for teacher in recipe.teachers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"teachers: the name {name!r} is used {names.count(name)} times; names must differ")
    for kind, count in (("exercise", recipe.seeds.exercises), ("textbook", recipe.seeds.textbooks)):
        if count and not any(getattr(teacher, f"{kind}_share") > 0 for teacher in recipe.teachers):
            problems.append(
                f"seeds.{kind}s = {count}, but no teacher has {kind}_share > 0; "
                f"add a [[teachers]] table or set seeds.{kind}s = 0"
            )
    problems.extend(_teachers(recipe, names))
    problems.extend(_wanted(recipe))
    problems.extend(_agreement(recipe))
    problems.extend(_rewordings(recipe))
    judge = recipe.quality.judge
    if judge and judge not in names:
        problems.append(unknown_teacher("quality.judge", judge, names))
    problems.extend(_value_model_problems(recipe, names))
    problems.extend(_evaluation(recipe))
    problems.extend(_distillation(recipe))
    if recipe.validated.min_mutants_killed and not recipe.validated.mutants:
        problems.append(
            f"validated.min_mutants_killed = {recipe.validated.min_mutants_killed:g} without mutants; "
            "set validated.mutants, e.g. 12"
        )
    if recipe.validated.mutants and recipe.validated.keep != "passed":
        problems.append(
            f"validated.mutants = {recipe.validated.mutants} with keep = {recipe.validated.keep!r}: tests that "
            "need not pass are not measured; set validated.mutants = 0"
        )
    if recipe.sources.kind in ("folder", "dataset") and not recipe.sources.path:
        problems.append(f"sources.kind = {recipe.sources.kind!r} needs sources.path")
    changed = [name for name in ("data_dir", "languages", "revision") if getattr(recipe.sources, name)]
    if recipe.sources.kind != "dataset" and changed:
        problems.append(
            f"sources.{changed[0]} counts for kind = 'dataset' alone, got kind = {recipe.sources.kind!r}; leave it out"
        )
    if not (recipe.seeds.exercises or recipe.seeds.textbooks) and recipe.sources.kind == "none":
        problems.append("nothing to make a corpus from: set seeds.exercises, seeds.textbooks or sources.kind")
    return problems


def _teachers(recipe: Recipe, names: Sequence[str]) -> list[str]:
    """What a teacher lacks, and what it says of others that is not so."""
    problems = []
    for number, teacher in enumerate(recipe.teachers):
        if teacher.lacking:
            problems.append(f"teachers.{number}.{teacher.lacking}")
        if isinstance(teacher, ReplayTable) and teacher.otherwise:
            other = next((one for one in recipe.teachers if one.name == teacher.otherwise), None)
            key = f"teachers.{number}.otherwise"
            if other is None:
                problems.append(unknown_teacher(key, teacher.otherwise, names))
            elif isinstance(other, ReplayTable) or not other.has_model:
                problems.append(
                    f"{key} = {teacher.otherwise!r} has kind = {other.kind!r}; name one that can answer anything, "
                    "openai or local"
                )
        if isinstance(teacher, LocalTable) and teacher.optional and teacher.model not in models():
            problems.append(
                f"teachers.{number}.optional = true with model = {teacher.model!r}, not fetched: optional is for "
                f"{', '.join(sorted(models()))}"
            )
    return problems


def _wanted(recipe: Recipe) -> list[str]:
    """What keeps a number of documents from being reached, or says nothing without one."""
    want = recipe.want
    given = [teacher for teacher in recipe.teachers if teacher.tests == "seed" and teacher.exercise_share]
    if want.exercises and given:
        return [
            f"want.exercises = {want.exercises}, but teacher {given[0].name!r} is given tasks (tests = 'seed'), and no "
            "topic can be asked again; set want.exercises = 0, or tests = 'teacher'"
        ]
    if (want.answers or want.usd) and not want.any:
        return ["want sets a ceiling and no number; set want.exercises or want.textbooks"]
    return []


def _agreement(recipe: Recipe) -> list[str]:
    """What keeps several solutions of one exercise from being had, or from being enough."""
    agreeing = [teacher for teacher in recipe.teachers if teacher.tests == "agreement"]
    problems = [
        f"teacher {teacher.name!r}: tests = 'agreement' with kind = {teacher.kind!r}, which does not read what it is "
        "asked; set tests = 'teacher'"
        for teacher in agreeing
        if not teacher.has_model
    ]
    table = recipe.agreement
    if agreeing:
        problems += _reads(recipe, "agreement.solver", table.solver)
    if agreeing and table.agree > table.solutions + 1:
        problems.append(
            f"agreement.agree = {table.agree}, but there are at most {table.solutions + 1} solutions, one of them the "
            f"teacher's own; lower it, or set agreement.solutions = {table.agree - 1} or more"
        )
    return problems


def _reads(recipe: Recipe, key: str, name: str) -> list[str]:
    """What is wrong with the name of a teacher that has to read what it is asked; "" names none."""
    tables = {teacher.name: teacher for teacher in recipe.teachers}
    if name and name not in tables:
        return [unknown_teacher(key, name, list(tables))]
    if name and not tables[name].has_model:
        return [
            f"{key} = {name!r} has kind = {tables[name].kind!r}, which does not read what it is asked; "
            "name a teacher of another kind"
        ]
    return []


def _rewordings(recipe: Recipe) -> list[str]:
    """Who would say exercises in other words, or solve them, and cannot."""
    table = recipe.rewordings
    if not table.per_exercise:
        return []
    problems = _reads(recipe, "rewordings.writer", table.writer)
    problems += _reads(recipe, "rewordings.solver", table.solver)
    unread = [one for one in recipe.teachers if one.exercise_share and not one.has_model]
    if not table.writer:
        problems += [
            f"rewordings.per_exercise = {table.per_exercise}: teacher {one.name!r} of kind = {one.kind!r} does not "
            "read what it is asked, and would have to say its exercises in other words; set rewordings.writer"
            for one in unread
        ]
    return problems


def _evaluation(recipe: Recipe) -> Iterator[str]:
    """What contradicts itself in how the student is asked, and in what the corpus is held against."""
    table = recipe.evaluation
    if table.samples > 1 and table.temperature == 0:
        yield (
            f"evaluation.samples = {table.samples} with temperature = 0 gives the same answer each time; "
            "set evaluation.temperature, e.g. 0.8"
        )
    if HELD_OUT in table.named and not recipe.seeds.exercises:
        key = "benchmarks" if HELD_OUT in table.benchmarks else "likelihood_of"
        yield (
            f"evaluation.{key} names {HELD_OUT!r}, but seeds.exercises = 0: a corpus without exercises has none "
            "to keep back; leave it out"
        )
    if table.likelihood_of and not table.likelihood:
        yield (
            f"evaluation.likelihood_of = {list(table.likelihood_of)} without likelihood; "
            "set evaluation.likelihood = true"
        )
    if HELD_OUT in recipe.decontaminated.benchmarks:
        yield (
            f"decontaminated.benchmarks names {HELD_OUT!r}, which a run makes of its own corpus and always holds it "
            "against; leave it out"
        )


def _distillation(recipe: Recipe) -> list[str]:
    """What contradicts itself in the student's beginning and its soft targets."""
    problems = []
    soft, student = recipe.soft_targets, recipe.student
    if student.layers and student.init == "scratch":
        problems.append(
            f"student.layers = {list(student.layers)} with student.init = 'scratch': there are no layers to keep; "
            "set student.init to the teacher"
        )
    if student.dropout and student.init != "scratch":
        problems.append(
            f"student.dropout = {student.dropout} with student.init = {student.init!r}: a pretrained model keeps its "
            "own; leave dropout out"
        )
    if not soft.teacher:
        changed = sorted(soft.model_fields_set - {"teacher"})
        if soft.mode == "online" or soft.on_policy or soft.hidden_weight or soft.hidden_layers:
            problems.append(
                f"soft_targets sets {', '.join(changed)} without a teacher; set soft_targets.teacher to an HF folder"
            )
        return problems
    if soft.on_policy and soft.mode == "cached":
        problems.append(
            f"soft_targets.on_policy = {soft.on_policy} with mode = 'cached': what the student will say is not on "
            "disk; set soft_targets.mode = 'online'"
        )
    if soft.hidden_weight and soft.mode == "cached":
        problems.append(
            f"soft_targets.hidden_weight = {soft.hidden_weight} with mode = 'cached': hidden states are not on disk; "
            "set soft_targets.mode = 'online'"
        )
    if soft.hidden_weight and not student.prompt_gradient:
        problems.append(
            f"soft_targets.hidden_weight = {soft.hidden_weight} with student.prompt_gradient = false, which reads "
            "prompts apart; set student.prompt_gradient = true"
        )
    if soft.hidden_layers and not soft.hidden_weight:
        problems.append(
            f"soft_targets.hidden_layers = {list(soft.hidden_layers)} with hidden_weight = 0: nothing is matched; set "
            "soft_targets.hidden_weight"
        )
    if soft.on_policy and recipe.tokens.loss == "all":
        problems.append(
            f"soft_targets.on_policy = {soft.on_policy} with tokens.loss = 'all': no document has a prompt for the "
            "student to continue; set tokens.loss = 'answer'"
        )
    if not recipe.tokens.mask_documents and (soft.on_policy or soft.mode == "cached"):
        problems.append(
            "soft_targets with tokens.mask_documents = false: its targets are per document; set "
            "tokens.mask_documents = true" + ("" if soft.on_policy else ", or soft_targets.mode = 'online'")
        )
    return problems


def _value_model_problems(recipe: Recipe, names: Sequence[str]) -> list[str]:
    quality = recipe.quality
    if quality.valued == "raw-code" and quality.flatten < 1:
        return [
            f"quality.valued = 'raw-code' with flatten = {quality.flatten}, which thins the whole corpus; set "
            "flatten = 1.0"
        ]
    if quality.model and not quality.classifier:
        return [f"quality.model = {quality.model!r} needs quality.classifier = true; set it, or leave model empty"]
    if not quality.classifier or quality.model:
        return []
    if not names:
        return [
            "quality.classifier = true needs a teacher to annotate; add a [[teachers]] table, "
            "or name a saved value model in quality.model"
        ]
    judge = next((t for t in recipe.teachers if t.name == (quality.judge or names[0])), None)
    if judge is not None and not judge.has_model:
        return [
            f"quality.judge: the teacher {judge.name!r} is a {judge.kind}, which has no model in it and cannot judge; "
            "name a teacher of another kind in quality.judge"
        ]
    return []


def misplaced_servers(teachers: Sequence[TeacherTable], execution: Execution) -> list[str]:
    """What is wrong with `execution.servers`, seen beside the recipe's teachers."""
    able = [one.name for one in teachers if isinstance(one, OpenAITable) and one.mode == "online"]
    wanted = f"one of {', '.join(map(repr, able))}" if able else "one of kind 'openai', and the recipe has none online"
    problems = []
    seen: set[str] = set()
    for number, servers in enumerate(execution.servers):
        key = f"execution.servers.{number}"
        if servers.teacher in seen:
            problems.append(
                f"{key}.teacher = {servers.teacher!r}: this teacher has servers already; list them together"
            )
        elif servers.teacher not in able:
            problems.append(f"{key}.teacher should name a teacher, {wanted}; got {servers.teacher!r}")
        if bool(servers.urls) == bool(servers.file):
            both = "both" if servers.urls else "neither"
            problems.append(f"{key} should have either 'urls' or 'file', got {both}")
        seen.add(servers.teacher)
    return problems
